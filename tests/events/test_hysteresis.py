"""Dwell, interruptions, and reset after a time without scores."""

import pytest
from msgspec.structs import replace

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.hysteresis import EmotionState, decay_emotion, resolve_thresholds, update_emotion

# Without smoothing each frame is its own average: only the dwell is tested.
RULES = resolve_thresholds(DecideSettings(smooth_s=0.0, enter=0.6, leave=0.4, dwell_s=0.5), lost_s=2.0)


def names(state: EmotionState) -> tuple[str | None, str | None]:
    """Names of the held expression and of the candidate."""
    held, candidate = state.held, state.candidate
    return (None if held is None else EMOTIONS[held], None if candidate is None else EMOTIONS[candidate])


def fed(vectors, thresholds=RULES, state=None, start=0.0, step=0.1) -> EmotionState:
    """State after the vectors, one every `step` seconds."""
    state = EmotionState(since=start) if state is None else state
    for number, vector in enumerate(vectors):
        state = update_emotion(state, vector, start + number * step, thresholds)
    return state


def test_expression_is_held_after_the_dwell_as_candidate_and_not_before(scores):
    almost = fed([scores(happy=0.9)] * 5)
    assert names(almost) == (None, "happy")
    after = update_emotion(almost, scores(happy=0.9), 0.5, RULES)
    assert names(after) == ("happy", "happy")
    assert after.since == 0.5


def test_single_frame_is_never_held(scores):
    assert names(fed([scores(happy=0.99)])) == (None, "happy")


def test_dwell_starts_at_the_crossing_between_two_frames(scores):
    # From 0.52 to 0.72 within 0.2 s the threshold of 0.6 is crossed at 0.4 of the step: 0.12 s of dwell have passed.
    state = fed([scores(happy=0.52), scores(happy=0.72)], step=0.2)
    assert state.candidate_s == pytest.approx(0.12, abs=0.2 / 64)


def test_dip_shorter_than_the_dwell_changes_nothing(scores):
    happy = fed([scores(happy=0.9)] * 6)
    dip = fed([scores(happy=0.2)] * 4, state=happy, start=0.6)
    assert names(dip) == ("happy", None)
    back = update_emotion(dip, scores(happy=0.9), 1.0, RULES)
    assert names(back) == ("happy", "happy")
    assert back.since == happy.since
    again = fed([scores(happy=0.2)] * 4, state=back, start=1.1)
    assert names(again) == ("happy", None), "the second dip starts its dwell anew"


def test_held_expression_ends_after_a_dwell_below_its_threshold(scores):
    happy = fed([scores(happy=0.9)] * 6)
    assert names(fed([scores(happy=0.2)] * 7, state=happy, start=0.6)) == (None, None)


def test_two_expressions_that_alternate_at_the_threshold_end_the_held_one_and_neither_is_held(scores):
    happy = fed([scores(happy=0.9)] * 6)
    turns = [scores(sad=0.62), scores(sad=0.55)] * 5
    assert names(fed(turns, state=happy, start=0.6)) == (None, None)


def test_another_lasting_expression_replaces_the_held_one_without_none_between(scores):
    state = fed([scores(happy=0.9)] * 6)
    seen = set()
    for number in range(12):
        state = update_emotion(state, scores(sad=0.9), 0.6 + number * 0.1, RULES)
        seen.add(names(state)[0])
    assert seen == {"happy", "sad"}


def test_gap_counts_as_a_quarter_second_of_dwell(scores):
    state = fed([scores(happy=0.9)] * 2)  # 0.1 s of dwell
    state = update_emotion(state, scores(happy=0.9), 1.6, RULES)  # 0.35 s, though 1.6 s have passed
    assert state.candidate_s == pytest.approx(0.35)
    assert names(state) == (None, "happy")


def test_held_expression_survives_unscored_frames_until_reset_s(scores):
    happy = fed([scores(happy=0.9)] * 6)  # the latest score at 0.5
    kept = decay_emotion(decay_emotion(happy, 1.0, RULES), 2.49, RULES)
    assert kept is happy
    reset = decay_emotion(kept, 2.5, RULES)
    assert names(reset) == (None, None)
    assert reset.average is None
    assert reset.since == 2.5


def test_reset_waits_for_the_dwell_if_that_is_longer(scores):
    slow = replace(RULES, dwell_s=5.0)
    happy = replace(fed([scores(happy=0.9)] * 6), held=EMOTIONS.index("happy"))
    assert decay_emotion(happy, 5.4, slow) is happy
    assert decay_emotion(happy, 5.5, slow).held is None


def test_face_without_scores_keeps_its_initial_state():
    state = EmotionState(since=3.0)
    assert decay_emotion(state, 100.0, RULES) is state


def test_decision_of_none_does_not_change_the_average(scores):
    thresholds = resolve_thresholds(DecideSettings(smooth_s=0.6, enter=0.6, leave=0.4, dwell_s=0.5), lost_s=2.0)
    unsure = fed([scores(happy=0.55)] * 20, thresholds=thresholds)
    assert names(unsure) == (None, None)
    assert unsure.average.mean[EMOTIONS.index("happy")] == pytest.approx(0.55)
    sure = fed([scores(happy=0.9)] * 20, thresholds=thresholds, state=unsure, start=2.0)
    assert names(sure) == ("happy", "happy")


def test_dwell_of_zero_holds_at_once(scores):
    thresholds = replace(RULES, dwell_s=0.0)
    assert names(fed([scores(happy=0.9)], thresholds=thresholds)) == ("happy", "happy")


def test_ten_intervals_of_a_twentieth_are_a_dwell_of_half_a_second(scores):
    assert names(fed([scores(happy=0.9)] * 10, step=0.05)) == (None, "happy")
    assert names(fed([scores(happy=0.9)] * 11, step=0.05)) == ("happy", "happy")
