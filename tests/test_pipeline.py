"""Events and state that the pipeline publishes for frame-by-frame histories of faces."""

from collections.abc import Sequence

import numpy as np

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.pipeline import Pipeline
from fer_edge.types import Box, Event, EventKind, Face, FaceState, Frame

BLACK = np.zeros((48, 64, 3), np.uint8)
SETTINGS = DecideSettings(smooth_s=0.2, enter=0.6, leave=0.4, dwell_s=0.3, arrive_s=0.5)


class FakePublisher:
    """A publisher that records its calls."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.states: list[tuple[int, ...]] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def seen(self, verdicts: Sequence[FaceState], now: float) -> None:
        self.states.append(tuple(verdict.face for verdict in verdicts))

    def nobody(self, now: float) -> None:
        self.states.append(())


def scores_of(emotion: str) -> np.ndarray:
    scores = np.full(7, 0.02, np.float32)
    scores[EMOTIONS.index(emotion)] = 0.88
    return scores


def face(number: int, emotion: str, first_seen: float, now: float) -> Face:
    return Face(number, Box(0.4, 0.4, 0.2, 0.2), first_seen, now, scores_of(emotion))


def play(story: dict[float, str], until_s: float, rate_hz: float) -> FakePublisher:
    """Run one face from second 0 on, with the emotion of the latest entry of ``story``; "" is a frame without it."""
    publisher = FakePublisher()

    def analyze(frame: Frame) -> Sequence[Face]:
        now = frame.captured_at
        emotion = story[max(at for at in story if at <= now + 1e-9)]
        return (face(1, emotion, 0.0, now),) if emotion else ()

    pipeline = Pipeline(analyze, EventDetector(SETTINGS, lost_s=1.0), publisher)
    for number in range(round(until_s * rate_hz) + 1):
        pipeline.step(Frame(BLACK, number / rate_hz, number))
    return publisher


def one_happy_second() -> tuple[Pipeline, FakePublisher]:
    """Return a pipeline after one second of a happy face, which is in every further frame."""
    publisher = FakePublisher()
    pipeline = Pipeline(
        lambda frame: (face(1, "happy", 0.0, frame.captured_at),), EventDetector(SETTINGS, lost_s=1.0), publisher
    )
    for number in range(11):
        pipeline.step(Frame(BLACK, number / 10, number))
    return pipeline, publisher


def events_of(publisher: FakePublisher) -> list[tuple[EventKind, str | None]]:
    return [(event.kind, event.emotion) for event in publisher.events]


def test_arrival_change_and_departure_are_published_at_any_frame_rate() -> None:
    for rate_hz in (5, 15, 30):
        publisher = play({0.0: "neutral", 3.0: "happy", 6.0: ""}, until_s=8.0, rate_hz=rate_hz)
        assert events_of(publisher) == [
            (EventKind.APPEARED, "neutral"),
            (EventKind.CHANGED, "happy"),
            (EventKind.GONE, "happy"),
        ]
        appeared, changed, gone = publisher.events
        assert 0.5 <= appeared.at <= 0.7
        assert 3.3 <= changed.at <= 3.9
        assert 6.8 <= gone.at <= 7.2


def test_state_is_empty_before_the_face_is_announced_and_after_it_is_gone() -> None:
    states = play({0.0: "neutral", 2.0: ""}, until_s=4.0, rate_hz=10).states
    assert states[0] == ()
    assert states[15] == (1,)
    assert states[-1] == ()


def test_face_is_closed_in_time_without_further_frames() -> None:
    pipeline, publisher = one_happy_second()
    pipeline.idle(1.9)
    assert events_of(publisher) == [(EventKind.APPEARED, "happy")]
    pipeline.idle(2.1)
    assert events_of(publisher)[1:] == [(EventKind.GONE, "happy")]


def test_frame_captured_before_the_latest_idle_tick_does_not_move_time_back() -> None:
    pipeline, publisher = one_happy_second()
    pipeline.idle(1.5)
    pipeline.step(Frame(BLACK, 1.4, 11))
    pipeline.close(1.45, "stopped")
    assert [event.at for event in publisher.events] == sorted(event.at for event in publisher.events)


def test_close_publishes_gone_with_its_reason_and_an_empty_state() -> None:
    pipeline, publisher = one_happy_second()
    pipeline.close(1.1, "stopped")
    assert [(event.kind, event.reason) for event in publisher.events][1:] == [(EventKind.GONE, "stopped")]
    assert publisher.states[-1] == ()


class FakeObserver:
    """An observer that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, int]] = []

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        self.calls.append(("frame", now, len(faces)))

    def on_tick(self, decision: Decision, now: float) -> None:
        self.calls.append(("tick", now, len(decision.events)))

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:
        self.calls.append((f"close, {reason}", now, len(events)))


def test_observer_gets_every_frame_tick_and_close_with_the_pipeline_s_time() -> None:
    observer = FakeObserver()
    decider = EventDetector(SETTINGS, lost_s=1.0)
    pipeline = Pipeline(lambda frame: (face(1, "happy", 0.0, frame.captured_at),), decider, FakePublisher(), [observer])
    for number in range(6):
        pipeline.step(Frame(BLACK, number / 10, number))
    pipeline.idle(0.8)
    pipeline.step(Frame(BLACK, 0.7, 6))
    pipeline.close(0.9, "camera")
    assert observer.calls[0] == ("frame", 0.0, 1)
    assert observer.calls[6:] == [("tick", 0.8, 0), ("frame", 0.8, 1), ("close, camera", 0.9, 1)]


def test_close_resets_the_analyzer() -> None:
    resets: list[str] = []
    pipeline = Pipeline(
        lambda frame: (), EventDetector(SETTINGS, lost_s=1.0), FakePublisher(), reset=lambda: resets.append("all")
    )
    pipeline.step(Frame(BLACK, 0.0, 0))
    assert resets == []
    pipeline.close(1.0, "paused")
    assert resets == ["all"]
