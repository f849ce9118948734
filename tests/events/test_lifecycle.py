"""Event sequences of faces that appear, change and leave, in seconds."""

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
    """A face detected in this frame, or at `last`."""
    return Face(track, BOX, first, now if last is None else last, scores, unscored)


def seen(detector, scores, start, end, *, rate_hz=10, track=1, first=None) -> list[Event]:
    """Events of one face with constant scores from start to before end."""
    begun = start if first is None else first
    events: list[Event] = []
    for step in range(round((end - start) * rate_hz)):
        now = start + step / rate_hz
        events += detector.update([face(scores, now, track=track, first=begun)], now).events
    return events


def words(events) -> list[tuple[str, float, str | None]]:
    return [(event.kind.value, round(event.at, 3), event.emotion) for event in events]


def test_face_gives_appeared_changed_gone(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = seen(detector, scores(neutral=0.9), 0.0, 2.0)
    events += seen(detector, scores(happy=0.8), 2.0, 4.0, first=0.0)
    for now in (4.0, 5.8, 5.9, 6.5):
        events += detector.update([], now).events
    assert words(events) == [
        ("face_appeared", 0.5, "neutral"),
        ("emotion_changed", 2.5, "happy"),  # neutral ended within the frame of 2.0
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


def test_face_below_all_thresholds_appears_with_null_and_its_highest_score_as_confidence(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    (appeared,) = seen(detector, scores(sad=0.5), 0.0, 2.0)
    assert (appeared.kind, appeared.emotion, appeared.confidence) == (EventKind.APPEARED, None, 0.5)


def test_face_in_its_dwell_is_announced_with_its_expression_and_not_as_unsure_before(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = seen(detector, scores(sad=0.5), 0.0, 0.3)
    events += seen(detector, scores(sad=0.9), 0.3, 2.0, first=0.0)
    # 0.6 is crossed before the frame of 0.3, at 0.225 (a quarter of the step from 0.5 to 0.9): the dwell ends at 0.725.
    assert words(events) == [("face_appeared", 0.8, "sad")]


def test_announcement_does_not_wait_for_a_dwell_that_takes_too_long_or_breaks_off(scores):
    slow = EventDetector(msgspec.structs.replace(SETTINGS, dwell_s=1.5), LOST_S)
    assert words(seen(slow, scores(sad=0.9), 0.0, 1.0)) == [("face_appeared", 0.5, None)]
    broken = EventDetector(SETTINGS, LOST_S)
    events = seen(broken, scores(sad=0.5), 0.0, 0.3)
    events += seen(broken, scores(sad=0.9), 0.3, 0.6, first=0.0)
    events += seen(broken, scores(sad=0.5), 0.6, 1.0, first=0.0)
    assert words(events) == [("face_appeared", 0.6, None)]


def test_change_from_null_and_to_null_is_reported(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = seen(detector, scores(sad=0.5), 0.0, 1.0)
    events += seen(detector, scores(sad=0.9), 1.0, 2.0, first=0.0)
    events += seen(detector, scores(sad=0.2), 2.0, 3.0, first=0.0)
    assert [(event.previous, event.emotion) for event in events[1:]] == [(None, "sad"), ("sad", None)]


def test_face_that_leaves_before_arrive_s_gives_no_event(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = seen(detector, scores(happy=0.9), 0.0, 0.5)
    for now in (1.0, 3.0, 9.0):
        decision = detector.update([], now)
        events += decision.events
    assert events == []
    assert decision.states == ()


def test_box_detected_twice_within_lost_s_is_no_face(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = detector.update([face(scores(happy=0.9), 0.0)], 0.0).events
    events += detector.update([face(scores(happy=0.9), 1.9)], 1.9).events
    assert events == ()


def test_predicted_box_arrives_only_with_a_second_detection(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = []
    for step in range(15):
        events += detector.update([face(scores(happy=0.9), step / 10, last=0.0)], step / 10).events
    assert events == []
    assert words(detector.update([face(scores(happy=0.9), 1.5)], 1.5).events) == [("face_appeared", 1.5, "happy")]


def test_track_continues_through_a_gap_shorter_than_lost_s(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = seen(detector, scores(happy=0.9), 0.0, 1.0)
    events += detector.update([], 2.8).events
    events += seen(detector, scores(happy=0.9), 2.8, 4.0, first=0.0)
    assert words(events) == [("face_appeared", 0.5, "happy")]


def test_lost_face_is_reported_once_and_only_after_the_gap(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    seen(detector, scores(happy=0.9), 0.0, 1.0)  # last seen at 0.9
    assert detector.update([], 2.89).events == ()
    assert words(detector.update([], 2.9).events) == [("face_gone", 2.9, "happy")]
    assert detector.update([], 3.0).events == ()


def test_track_with_a_predicted_box_is_not_lost(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    seen(detector, scores(happy=0.9), 0.0, 1.0)
    decision = detector.update([face(scores(happy=0.9), 4.0, last=0.9)], 4.0)
    assert decision.events == ()
    assert len(decision.in_frame) == 1


def test_faces_are_independent(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events: list[Event] = []
    for step in range(31):
        now = step / 10
        faces = [face(scores(happy=0.9), now, track=1), face(scores(sad=0.9), now, track=2)]
        events += detector.update(faces[: 1 if step > 8 else 2], now).events
    assert [(event.kind.value, event.face, event.emotion) for event in events] == [
        ("face_appeared", 1, "happy"),
        ("face_appeared", 2, "sad"),
        ("face_gone", 2, "sad"),
    ]


def test_close_ends_every_announced_face_with_the_reason(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    seen(detector, scores(happy=0.9), 0.0, 1.0, track=1)
    detector.update([face(scores(sad=0.9), 1.0, track=2, first=1.0)], 1.0)  # still arriving
    (gone,) = detector.close(1.5, "camera")
    assert (gone.face, gone.kind, gone.reason, gone.at) == (1, EventKind.GONE, "camera", 1.5)
    assert gone.duration_s == pytest.approx(0.9)
    assert detector.close(1.6, "stopped") == ()
    assert detector.update([], 9.0).states == ()
    assert words(seen(detector, scores(sad=0.9), 10.0, 11.0, track=3)) == [("face_appeared", 10.5, "sad")]


def test_rejected_face_keeps_its_expression_for_lost_s_and_then_has_none(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    events = seen(detector, scores(happy=0.9), 0.0, 1.0)
    for step in range(10, 41):
        now = step / 10
        events += detector.update([face(None, now, unscored=RejectReason.BLURRED)], now).events
    assert words(events[1:]) == [("emotion_changed", 2.9, None)]
    assert events[1].previous == "happy"
    assert events[1].scores == pytest.approx(np.full(7, 1 / 7))


def test_face_without_scores_appears_with_null_and_uniform_scores():
    detector = EventDetector(SETTINGS, LOST_S)
    events = []
    for step in range(6):
        decision = detector.update([face(None, step / 10, unscored=RejectReason.DARK)], step / 10)
        events += decision.events
    assert words(events) == [("face_appeared", 0.5, None)]
    assert events[0].confidence == pytest.approx(1 / 7)
    assert decision.states[0].outcome is Outcome.DARK


def test_every_face_of_a_frame_has_one_outcome(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    counts: Counter[Outcome] = Counter()
    for step in range(20):
        now = step / 10
        faces = [
            face(scores(happy=0.9), now, track=1),
            face(scores(happy=0.5), now, track=2),
            face(None, now, track=3, unscored=RejectReason.TOO_SMALL),
        ]
        counts.update(state.outcome for state in detector.update(faces, now).in_frame)
    assert counts == {Outcome.ARRIVING: 15, Outcome.HELD: 15, Outcome.UNSURE: 15, Outcome.TOO_SMALL: 15}
    changing = detector.update([face(scores(sad=0.9), 2.0, track=1)], 2.0)
    assert [state.outcome for state in changing.in_frame] == [Outcome.DWELL]


def test_announced_faces_include_those_out_of_sight(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    seen(detector, scores(happy=0.9), 0.0, 1.0, track=1)
    decision = detector.update([face(scores(sad=0.9), 1.5, track=2, first=1.5)], 1.5)
    assert [state.face for state in decision.states] == [1, 2]
    assert [state.face for state in decision.announced] == [1]
    assert [state.face for state in decision.in_frame] == [2]
    (state,) = decision.announced
    assert (state.emotion, state.since, state.confidence) == ("happy", 0.5, pytest.approx(0.9))


def test_new_settings_keep_the_average_and_decide_by_the_new_thresholds(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    seen(detector, scores(happy=0.7), 0.0, 1.0)
    detector.reconfigure(DecideSettings(smooth_s=0.0, enter=0.9, leave=0.8, dwell_s=0.5), LOST_S)
    events = seen(detector, scores(happy=0.7), 1.0, 2.0, first=0.0)
    assert words(events) == [("emotion_changed", 1.5, None)]
    detector.reconfigure(DecideSettings(smooth_s=0.0, emotions={"happy": Threshold(enter=0.65)}, dwell_s=0.2), LOST_S)
    events = seen(detector, scores(happy=0.7), 2.0, 3.0, first=0.0)
    assert [event.emotion for event in events] == ["happy"]


def test_new_lost_s_applies_to_present_faces(scores):
    detector = EventDetector(SETTINGS, LOST_S)
    seen(detector, scores(happy=0.9), 0.0, 1.0)
    detector.reconfigure(SETTINGS, 10.0)
    assert detector.update([], 10.8).events == ()
    assert len(detector.update([], 10.9).events) == 1


def test_scores_of_an_unscored_face_are_read_only():
    detector = EventDetector(SETTINGS, LOST_S)
    decision = detector.update([face(None, 0.0, unscored=RejectReason.DARK)], 0.0)
    with pytest.raises(ValueError, match="read-only"):
        decision.states[0].scores[0] = 1.0


def test_example_of_the_documentation_is_reproduced(scores):
    detector = EventDetector(DecideSettings(), LOST_S)
    averages, events = {}, []
    for step in range(40):
        now = step / 5
        vector = scores(neutral=0.8) if now < 3.0 else scores(happy=0.8)
        decision = detector.update([face(vector, now)] if now < 6.0 else [], now)
        events += decision.events
        for state in decision.in_frame:
            neutral, happy = round(float(state.scores[6]), 2), round(float(state.scores[3]), 2)
            averages[now] = (neutral, happy, state.emotion, state.outcome.value)
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
