"""Stories: what a frame-by-frame history of faces makes the pipeline tell its publisher."""

from collections.abc import Sequence

import numpy as np

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.pipeline import Pipeline
from fer_edge.types import Box, Event, EventKind, Face, FaceState, Frame

BLACK = np.zeros((48, 64, 3), np.uint8)
SETTINGS = DecideSettings(smooth_s=0.2, enter=0.6, leave=0.4, dwell_s=0.3, arrive_s=0.5)


class Listener:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.states: list[tuple[int, ...]] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def seen(self, verdicts: Sequence[FaceState], now: float) -> None:
        self.states.append(tuple(verdict.face for verdict in verdicts))

    def nobody(self, now: float) -> None:
        self.states.append(())


def surely(emotion: str) -> np.ndarray:
    scores = np.full(7, 0.02, np.float32)
    scores[EMOTIONS.index(emotion)] = 0.88
    return scores


def face(number: int, emotion: str, first_seen: float, now: float) -> Face:
    return Face(number, Box(0.4, 0.4, 0.2, 0.2), first_seen, now, surely(emotion))


def play(story: dict[float, str], until_s: float, rate_hz: float) -> Listener:
    """One face from second 0 on, with the emotion of the latest entry of the story; "" is a picture without it."""
    listener = Listener()

    def see(frame: Frame) -> Sequence[Face]:
        now = frame.captured_at
        emotion = story[max(at for at in story if at <= now + 1e-9)]
        return (face(1, emotion, 0.0, now),) if emotion else ()

    pipeline = Pipeline(see, EventDetector(SETTINGS, lost_s=1.0), listener)
    for number in range(round(until_s * rate_hz) + 1):
        pipeline.step(Frame(BLACK, number / rate_hz, number))
    return listener


def one_happy_second() -> tuple[Pipeline, Listener]:
    """A pipeline that has seen a happy face from second 0 to 1, and would see it in every further frame."""
    listener = Listener()
    pipeline = Pipeline(
        lambda frame: (face(1, "happy", 0.0, frame.captured_at),), EventDetector(SETTINGS, lost_s=1.0), listener
    )
    for number in range(11):
        pipeline.step(Frame(BLACK, number / 10, number))
    return pipeline, listener


def told(listener: Listener) -> list[tuple[EventKind, str | None]]:
    return [(event.kind, event.emotion) for event in listener.events]


def test_visit_is_told_from_arrival_over_change_to_departure_at_any_frame_rate() -> None:
    for rate_hz in (5, 15, 30):
        listener = play({0.0: "neutral", 3.0: "happy", 6.0: ""}, until_s=8.0, rate_hz=rate_hz)
        assert told(listener) == [
            (EventKind.APPEARED, "neutral"),
            (EventKind.CHANGED, "happy"),
            (EventKind.GONE, "happy"),
        ]
        appeared, changed, gone = listener.events
        assert 0.5 <= appeared.at <= 0.7
        assert 3.3 <= changed.at <= 3.9
        assert 6.8 <= gone.at <= 7.2


def test_state_shows_nobody_before_the_face_is_announced_and_after_it_is_gone() -> None:
    states = play({0.0: "neutral", 2.0: ""}, until_s=4.0, rate_hz=10).states
    assert states[0] == ()
    assert states[15] == (1,)
    assert states[-1] == ()


def test_face_leaves_in_time_although_the_camera_gives_no_more_frames() -> None:
    pipeline, listener = one_happy_second()
    pipeline.idle(1.9)
    assert told(listener) == [(EventKind.APPEARED, "happy")]
    pipeline.idle(2.1)
    assert told(listener)[1:] == [(EventKind.GONE, "happy")]


def test_frame_captured_before_the_latest_idle_tick_does_not_turn_time_back() -> None:
    pipeline, listener = one_happy_second()
    pipeline.idle(1.5)
    pipeline.step(Frame(BLACK, 1.4, 11))
    pipeline.close(1.45, "stopped")
    assert [event.at for event in listener.events] == sorted(event.at for event in listener.events)


def test_closing_says_farewell_with_its_reason_and_leaves_an_empty_state() -> None:
    pipeline, listener = one_happy_second()
    pipeline.close(1.1, "stopped")
    assert [(event.kind, event.reason) for event in listener.events][1:] == [(EventKind.GONE, "stopped")]
    assert listener.states[-1] == ()


class Onlooker:
    """A observer that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float, int]] = []

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        self.told.append(("looked", now, len(faces)))

    def on_tick(self, decision: Decision, now: float) -> None:
        self.told.append(("waited", now, len(decision.events)))

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:
        self.told.append((f"closed, {reason}", now, len(events)))


def test_witness_is_told_of_every_frame_tick_and_farewell_with_the_time_that_was_decided_for() -> None:
    onlooker = Onlooker()
    decider = EventDetector(SETTINGS, lost_s=1.0)
    pipeline = Pipeline(lambda frame: (face(1, "happy", 0.0, frame.captured_at),), decider, Listener(), [onlooker])
    for number in range(6):
        pipeline.step(Frame(BLACK, number / 10, number))
    pipeline.idle(0.8)
    pipeline.step(Frame(BLACK, 0.7, 6))
    pipeline.close(0.9, "camera")
    assert onlooker.told[0] == ("looked", 0.0, 1)
    assert onlooker.told[6:] == [("waited", 0.8, 0), ("looked", 0.8, 1), ("closed, camera", 0.9, 1)]


def test_closing_makes_the_eye_forget_whom_it_followed() -> None:
    forgotten: list[str] = []
    pipeline = Pipeline(
        lambda frame: (), EventDetector(SETTINGS, lost_s=1.0), Listener(), forget=lambda: forgotten.append("all")
    )
    pipeline.step(Frame(BLACK, 0.0, 0))
    assert forgotten == []
    pipeline.close(1.0, "paused")
    assert forgotten == ["all"]
