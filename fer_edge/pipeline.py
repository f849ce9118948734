"""Pipeline: a frame in, events and state out, without camera, clock or broker.

    frame -> analyze (detect, track, classify) -> event detector -> events and state to the publisher

All parts are parameters, so tests pass plain functions.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.types import Event, Face, FaceState, Frame

Analyze = Callable[[Frame], Sequence[Face]]


class EventPublisher(Protocol):
    """Receiver of events and state; never blocks."""

    def event(self, event: Event) -> None:
        """Publish an event."""
        ...

    def seen(self, verdicts: Sequence[FaceState], now: float) -> None:
        """Update the state of all announced faces, after every frame."""
        ...

    def nobody(self, now: float) -> None:
        """Clear the state after all faces were closed; no frame need follow."""
        ...


class PipelineObserver(Protocol):
    """Observer of every step: recorder, live page, analysis. Changes nothing, never blocks."""

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Handle a processed frame; ``now`` is the pipeline's time, not before the latest tick."""
        ...

    def on_tick(self, decision: Decision, now: float) -> None:  # noqa: ARG002 - optional
        """Handle time without a frame; nothing by default."""
        return

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:  # noqa: ARG002
        """Handle the end of all faces; nothing by default."""
        return


class Pipeline:
    """The pipeline and its clock. Not thread-safe; the main thread owns it and its parts."""

    def __init__(
        self,
        analyze: Analyze,
        decider: EventDetector,
        publisher: EventPublisher,
        observers: Sequence[PipelineObserver] = (),
        reset: Callable[[], None] = lambda: None,
    ) -> None:
        """``reset`` is called by `close`, to drop the state that ``analyze`` keeps about faces."""
        self._analyze = analyze
        self._decider = decider
        self._publisher = publisher
        self._observers = tuple(observers)
        self._reset = reset
        self._now = float("-inf")

    def step(self, frame: Frame) -> Decision:
        """Process one frame and publish the result."""
        faces = self._analyze(frame)
        decision = self._decide(faces, frame.captured_at)
        for observer in self._observers:
            observer.on_frame(frame, faces, decision, self._now)
        return decision

    def idle(self, now: float) -> Decision:
        """Advance time without a frame, so that faces are closed when the camera is silent."""
        decision = self._decide((), now)
        for observer in self._observers:
            observer.on_tick(decision, self._now)
        return decision

    def close(self, now: float, reason: str) -> None:
        """Close all faces: no frames follow, or not for a while."""
        self._now = max(self._now, now)
        self._reset()
        events = self._decider.close(self._now, reason)
        for event in events:
            self._publisher.event(event)
        self._publisher.nobody(self._now)
        for observer in self._observers:
            observer.on_close(events, reason, self._now)

    def _decide(self, faces: Sequence[Face], now: float) -> Decision:
        # A frame captured before the latest idle tick must not move time back.
        self._now = max(self._now, now)
        decision = self._decider.update(faces, self._now)
        for event in decision.events:
            self._publisher.event(event)
        self._publisher.seen(decision.announced, self._now)
        return decision
