"""Nothing is held before it lasted, nothing is given up for a moment, and what cannot be read any more is forgotten."""

import pytest
from msgspec.structs import replace

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.hysteresis import EmotionState, decay_emotion, resolve_thresholds, update_emotion

# Without smoothing each frame is its own evidence, so that dwell is seen alone.
RULES = resolve_thresholds(DecideSettings(smooth_s=0.0, enter=0.6, leave=0.4, dwell_s=0.5), lost_s=2.0)


def names(reading: EmotionState) -> tuple[str | None, str | None]:
    """What is held and what is the candidate, as words."""
    held, candidate = reading.held, reading.candidate
    return (None if held is None else EMOTIONS[held], None if candidate is None else EMOTIONS[candidate])


def fed(vectors, rules=RULES, reading=None, start=0.0, step=0.1) -> EmotionState:
    """The reading after the vectors, one every `step` seconds."""
    reading = EmotionState(since=start) if reading is None else reading
    for number, vector in enumerate(vectors):
        reading = update_emotion(reading, vector, start + number * step, rules)
    return reading


def test_an_expression_is_held_once_it_was_the_candidate_for_the_dwell_and_not_before(scores):
    almost = fed([scores(happy=0.9)] * 5)
    assert names(almost) == (None, "happy")
    after = update_emotion(almost, scores(happy=0.9), 0.5, RULES)
    assert names(after) == ("happy", "happy")
    assert after.since == 0.5


def test_one_frame_alone_is_never_held(scores):
    assert names(fed([scores(happy=0.99)])) == (None, "happy")


def test_the_dwell_starts_where_the_threshold_was_met_between_two_frames(scores):
    # From 0.52 to 0.72 within 0.2 s the threshold of 0.6 is met at 0.4 of the way: 0.12 s of dwell are over already.
    reading = fed([scores(happy=0.52), scores(happy=0.72)], step=0.2)
    assert reading.candidate_s == pytest.approx(0.12, abs=0.2 / 64)


def test_a_dip_shorter_than_the_dwell_changes_nothing(scores):
    happy = fed([scores(happy=0.9)] * 6)
    dip = fed([scores(happy=0.2)] * 4, reading=happy, start=0.6)
    assert names(dip) == ("happy", None)
    back = update_emotion(dip, scores(happy=0.9), 1.0, RULES)
    assert names(back) == ("happy", "happy")
    assert back.since == happy.since
    again = fed([scores(happy=0.2)] * 4, reading=back, start=1.1)
    assert names(again) == ("happy", None), "the second dip starts its dwell anew"


def test_a_doubt_as_long_as_the_dwell_ends_what_is_held(scores):
    happy = fed([scores(happy=0.9)] * 6)
    assert names(fed([scores(happy=0.2)] * 7, reading=happy, start=0.6)) == (None, None)


def test_two_that_take_turns_at_the_threshold_end_what_is_held_but_win_nothing(scores):
    happy = fed([scores(happy=0.9)] * 6)
    turns = [scores(sad=0.62), scores(sad=0.55)] * 5
    assert names(fed(turns, reading=happy, start=0.6)) == (None, None)


def test_another_that_holds_on_replaces_what_is_held_without_a_word_of_doubt_between(scores):
    reading = fed([scores(happy=0.9)] * 6)
    seen = set()
    for number in range(12):
        reading = update_emotion(reading, scores(sad=0.9), 0.6 + number * 0.1, RULES)
        seen.add(names(reading)[0])
    assert seen == {"happy", "sad"}


def test_a_gap_counts_as_a_quarter_second_of_dwell(scores):
    reading = fed([scores(happy=0.9)] * 2)  # 0.1 s of dwell
    reading = update_emotion(reading, scores(happy=0.9), 1.6, RULES)  # 0.35 s, though 1.6 s have passed
    assert reading.candidate_s == pytest.approx(0.35)
    assert names(reading) == (None, "happy")


def test_what_is_held_survives_frames_that_cannot_be_read_until_they_last_too_long(scores):
    happy = fed([scores(happy=0.9)] * 6)  # the latest score at 0.5
    kept = decay_emotion(decay_emotion(happy, 1.0, RULES), 2.49, RULES)
    assert kept is happy
    forgotten = decay_emotion(kept, 2.5, RULES)
    assert names(forgotten) == (None, None)
    assert forgotten.evidence is None
    assert forgotten.since == 2.5


def test_forgetting_waits_for_the_dwell_where_that_is_longer(scores):
    slow = replace(RULES, dwell_s=5.0)
    happy = replace(fed([scores(happy=0.9)] * 6), held=EMOTIONS.index("happy"))
    assert decay_emotion(happy, 5.4, slow) is happy
    assert decay_emotion(happy, 5.5, slow).held is None


def test_a_face_that_was_never_read_stays_unread_from_its_start():
    reading = EmotionState(since=3.0)
    assert decay_emotion(reading, 100.0, RULES) is reading


def test_a_verdict_of_null_does_not_hide_the_evidence_from_the_next_one(scores):
    rules = resolve_thresholds(DecideSettings(smooth_s=0.6, enter=0.6, leave=0.4, dwell_s=0.5), lost_s=2.0)
    unsure = fed([scores(happy=0.55)] * 20, rules=rules)
    assert names(unsure) == (None, None)
    assert unsure.evidence.mean[EMOTIONS.index("happy")] == pytest.approx(0.55)
    sure = fed([scores(happy=0.9)] * 20, rules=rules, reading=unsure, start=2.0)
    assert names(sure) == ("happy", "happy")


def test_no_dwell_believes_at_once(scores):
    rules = replace(RULES, dwell_s=0.0)
    assert names(fed([scores(happy=0.9)], rules=rules)) == ("happy", "happy")


def test_ten_intervals_of_a_twentieth_are_a_dwell_of_half_a_second(scores):
    assert names(fed([scores(happy=0.9)] * 10, step=0.05)) == (None, "happy")
    assert names(fed([scores(happy=0.9)] * 11, step=0.05)) == ("happy", "happy")
