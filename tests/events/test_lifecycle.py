"""Stories of faces that come, change and go, told in seconds."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.events.lifecycle import EventDetector
from fer_edge.types import Box, Event, EventKind, Face, Outcome, RejectReason

BOX = Box(0.4, 0.3, 0.1, 0.15)
SETTINGS = DecideSettings(smooth_s=0.0, enter=0.6, leave=0.4, dwell_s=0.5, arrive_s=0.5)
LOST_S = 2.0


def face(scores, now, *, track=1, first=0.0, last=None, unscored=None) -> Face:
    """A face that was detected in this frame, unless `last` says when it was."""
    return Face(track, BOX, first, now if last is None else last, scores, unscored)


def seen(decider, scores, start, end, *, rate_hz=10, track=1, first=None) -> list[Event]:
    """The events of one face that shows the same from start to before end."""
    begun = start if first is None else first
    events: list[Event] = []
    for step in range(round((end - start) * rate_hz)):
        now = start + step / rate_hz
        events += decider.update([face(scores, now, track=track, first=begun)], now).events
    return events


def words(events) -> list[tuple[str, float, str | None]]:
    return [(event.kind.value, round(event.at, 3), event.emotion) for event in events]


def test_a_visit_is_told_as_appeared_changed_gone(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = seen(decider, scores(neutral=0.9), 0.0, 2.0)
    events += seen(decider, scores(happy=0.8), 2.0, 4.0, first=0.0)
    for now in (4.0, 5.8, 5.9, 6.5):
        events += decider.update([], now).events
    assert words(events) == [
        ("face_appeared", 0.5, "neutral"),
        ("emotion_changed", 2.5, "happy"),  # neutral gave way within the frame of 2.0
        ("face_gone", 5.9, "happy"),  # last seen at 3.9, and two seconds later
    ]
    appeared, changed, gone = events
    assert (appeared.previous, appeared.duration_s, appeared.reason) == (None, None, None)
    assert changed.previous == "neutral"
    assert changed.duration_s == pytest.approx(2.0)
    assert changed.confidence == pytest.approx(0.8)
    assert gone.duration_s == pytest.approx(3.9)
    assert (gone.previous, gone.reason) == (None, "left")
    assert gone.scores == pytest.approx(scores(happy=0.8))


def test_a_face_that_is_sure_of_nothing_appears_with_null_and_its_strongest_as_confidence(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    (appeared,) = seen(decider, scores(sad=0.5), 0.0, 2.0)
    assert (appeared.kind, appeared.emotion, appeared.confidence) == (EventKind.APPEARED, None, 0.5)


def test_a_face_that_begins_to_be_sure_is_announced_with_its_expression_and_not_as_unsure_before(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = seen(decider, scores(sad=0.5), 0.0, 0.3)
    events += seen(decider, scores(sad=0.9), 0.3, 2.0, first=0.0)
    # 0.6 is passed before the frame of 0.3, at 0.225 (a quarter of the way from 0.5 to 0.9): the dwell ends at 0.725.
    assert words(events) == [("face_appeared", 0.8, "sad")]


def test_a_dwell_that_takes_too_long_or_breaks_off_is_not_waited_for(scores):
    slow = EventDetector(msgspec.structs.replace(SETTINGS, dwell_s=1.5), LOST_S)
    assert words(seen(slow, scores(sad=0.9), 0.0, 1.0)) == [("face_appeared", 0.5, None)]
    broken = EventDetector(SETTINGS, LOST_S)
    events = seen(broken, scores(sad=0.5), 0.0, 0.3)
    events += seen(broken, scores(sad=0.9), 0.3, 0.6, first=0.0)
    events += seen(broken, scores(sad=0.5), 0.6, 1.0, first=0.0)
    assert words(events) == [("face_appeared", 0.6, None)]


def test_a_change_from_null_and_to_null_is_told(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = seen(decider, scores(sad=0.5), 0.0, 1.0)
    events += seen(decider, scores(sad=0.9), 1.0, 2.0, first=0.0)
    events += seen(decider, scores(sad=0.2), 2.0, 3.0, first=0.0)
    assert [(event.previous, event.emotion) for event in events[1:]] == [(None, "sad"), ("sad", None)]


def test_a_face_that_vanishes_before_it_arrived_is_never_spoken_of(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = seen(decider, scores(happy=0.9), 0.0, 0.5)
    for now in (1.0, 3.0, 9.0):
        decision = decider.update([], now)
        events += decision.events
    assert events == []
    assert decision.verdicts == ()


def test_a_box_that_flashes_up_twice_within_lost_s_is_no_face(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = decider.update([face(scores(happy=0.9), 0.0)], 0.0).events
    events += decider.update([face(scores(happy=0.9), 1.9)], 1.9).events
    assert events == ()


def test_a_carried_box_arrives_only_with_a_second_detection(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = []
    for step in range(15):
        events += decider.update([face(scores(happy=0.9), step / 10, last=0.0)], step / 10).events
    assert events == []
    assert words(decider.update([face(scores(happy=0.9), 1.5)], 1.5).events) == [("face_appeared", 1.5, "happy")]


def test_a_face_is_the_same_through_a_gap_shorter_than_lost_s(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = seen(decider, scores(happy=0.9), 0.0, 1.0)
    events += decider.update([], 2.8).events
    events += seen(decider, scores(happy=0.9), 2.8, 4.0, first=0.0)
    assert words(events) == [("face_appeared", 0.5, "happy")]


def test_a_lost_face_is_reported_once_and_only_after_the_gap(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    seen(decider, scores(happy=0.9), 0.0, 1.0)  # last seen at 0.9
    assert decider.update([], 2.89).events == ()
    assert words(decider.update([], 2.9).events) == [("face_gone", 2.9, "happy")]
    assert decider.update([], 3.0).events == ()


def test_a_face_that_the_tracker_still_carries_is_not_lost(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    seen(decider, scores(happy=0.9), 0.0, 1.0)
    decision = decider.update([face(scores(happy=0.9), 4.0, last=0.9)], 4.0)
    assert decision.events == ()
    assert len(decision.in_frame) == 1


def test_faces_do_not_touch_each_other(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events: list[Event] = []
    for step in range(31):
        now = step / 10
        faces = [face(scores(happy=0.9), now, track=1), face(scores(sad=0.9), now, track=2)]
        events += decider.update(faces[: 1 if step > 8 else 2], now).events
    assert [(event.kind.value, event.face, event.emotion) for event in events] == [
        ("face_appeared", 1, "happy"),
        ("face_appeared", 2, "sad"),
        ("face_gone", 2, "sad"),
    ]


def test_closing_ends_every_announced_face_with_the_reason_and_leaves_nobody(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    seen(decider, scores(happy=0.9), 0.0, 1.0, track=1)
    decider.update([face(scores(sad=0.9), 1.0, track=2, first=1.0)], 1.0)  # still arriving
    (gone,) = decider.close(1.5, "camera")
    assert (gone.face, gone.kind, gone.reason, gone.at) == (1, EventKind.GONE, "camera", 1.5)
    assert gone.duration_s == pytest.approx(0.9)
    assert decider.close(1.6, "stopped") == ()
    assert decider.update([], 9.0).verdicts == ()
    assert words(seen(decider, scores(sad=0.9), 10.0, 11.0, track=3)) == [("face_appeared", 10.5, "sad")]


def test_a_face_that_cannot_be_read_keeps_its_expression_for_lost_s_and_then_has_none(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    events = seen(decider, scores(happy=0.9), 0.0, 1.0)
    for step in range(10, 41):
        now = step / 10
        events += decider.update([face(None, now, unscored=RejectReason.BLURRED)], now).events
    assert words(events[1:]) == [("emotion_changed", 2.9, None)]
    assert events[1].previous == "happy"
    assert events[1].scores == pytest.approx(np.full(7, 1 / 7))


def test_a_face_that_was_never_read_appears_with_null_and_nothing_known():
    decider = EventDetector(SETTINGS, LOST_S)
    events = []
    for step in range(6):
        decision = decider.update([face(None, step / 10, unscored=RejectReason.DARK)], step / 10)
        events += decision.events
    assert words(events) == [("face_appeared", 0.5, None)]
    assert events[0].confidence == pytest.approx(1 / 7)
    assert decision.verdicts[0].outcome is Outcome.DARK


def test_every_face_of_a_frame_has_one_outcome(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    counts: Counter[Outcome] = Counter()
    for step in range(20):
        now = step / 10
        faces = [
            face(scores(happy=0.9), now, track=1),
            face(scores(happy=0.5), now, track=2),
            face(None, now, track=3, unscored=RejectReason.TOO_SMALL),
        ]
        counts.update(verdict.outcome for verdict in decider.update(faces, now).in_frame)
    assert counts == {Outcome.ARRIVING: 15, Outcome.HELD: 15, Outcome.UNSURE: 15, Outcome.TOO_SMALL: 15}
    changing = decider.update([face(scores(sad=0.9), 2.0, track=1)], 2.0)
    assert [verdict.outcome for verdict in changing.in_frame] == [Outcome.DWELL]


def test_state_shows_announced_faces_even_while_out_of_sight_and_no_others(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    seen(decider, scores(happy=0.9), 0.0, 1.0, track=1)
    decision = decider.update([face(scores(sad=0.9), 1.5, track=2, first=1.5)], 1.5)
    assert [verdict.face for verdict in decision.verdicts] == [1, 2]
    assert [verdict.face for verdict in decision.announced] == [1]
    assert [verdict.face for verdict in decision.in_frame] == [2]
    (verdict,) = decision.announced
    assert (verdict.emotion, verdict.since, verdict.confidence) == ("happy", 0.5, pytest.approx(0.9))


def test_new_settings_keep_the_evidence_and_judge_it_anew(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    seen(decider, scores(happy=0.7), 0.0, 1.0)
    decider.reconfigure(DecideSettings(smooth_s=0.0, enter=0.9, leave=0.8, dwell_s=0.5), LOST_S)
    events = seen(decider, scores(happy=0.7), 1.0, 2.0, first=0.0)
    assert words(events) == [("emotion_changed", 1.5, None)]
    decider.reconfigure(DecideSettings(smooth_s=0.0, emotions={"happy": Threshold(enter=0.65)}, dwell_s=0.2), LOST_S)
    events = seen(decider, scores(happy=0.7), 2.0, 3.0, first=0.0)
    assert [event.emotion for event in events] == ["happy"]


def test_a_new_lost_s_holds_for_faces_that_are_there(scores):
    decider = EventDetector(SETTINGS, LOST_S)
    seen(decider, scores(happy=0.9), 0.0, 1.0)
    decider.reconfigure(SETTINGS, 10.0)
    assert decider.update([], 10.8).events == ()
    assert len(decider.update([], 10.9).events) == 1


def test_a_verdict_cannot_be_edited_through_what_is_said_of_an_unread_face():
    decider = EventDetector(SETTINGS, LOST_S)
    decision = decider.update([face(None, 0.0, unscored=RejectReason.DARK)], 0.0)
    with pytest.raises(ValueError, match="read-only"):
        decision.verdicts[0].scores[0] = 1.0


def test_the_example_of_the_documentation_is_what_happens(scores):
    decider = EventDetector(DecideSettings(), LOST_S)
    averages, events = {}, []
    for step in range(40):
        now = step / 5
        shown = scores(neutral=0.8) if now < 3.0 else scores(happy=0.8)
        decision = decider.update([face(shown, now)] if now < 6.0 else [], now)
        events += decision.events
        for verdict in decision.in_frame:
            neutral, happy = round(float(verdict.scores[6]), 2), round(float(verdict.scores[3]), 2)
            averages[now] = (neutral, happy, verdict.emotion, verdict.outcome.value)
    assert averages[0.0] == (0.8, 0.03, None, "arriving")
    assert averages[3.2] == (0.5, 0.33, "neutral", "held")
    assert averages[3.4] == (0.37, 0.47, "neutral", "held")
    assert averages[3.6] == (0.27, 0.56, "neutral", "dwell")
    assert averages[3.8] == (0.2, 0.63, "neutral", "dwell")
    assert averages[4.0] == (0.16, 0.68, "happy", "held")
    assert words(events) == [
        ("face_appeared", 0.4, "neutral"),
        ("emotion_changed", 4.0, "happy"),
        ("face_gone", 7.8, "happy"),
    ]
    assert [event.duration_s for event in events] == [None, pytest.approx(3.6), pytest.approx(5.8)]
