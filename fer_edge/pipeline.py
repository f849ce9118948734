"""One frame in, what happened out: the way of the data, without a camera, a clock or a broker in it.

    frame -> see (detect, track, classify) -> decide -> events and state to the publisher

All parts are parameters, so that the pipeline's stories are told in tests with plain functions.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.types import Event, Face, FaceState, Frame

See = Callable[[Frame], Sequence[Face]]


class EventPublisher(Protocol):
    """Whoever is told what happened; never blocks."""

    def event(self, event: Event) -> None:
        """Something happened to a face."""
        ...

    def seen(self, verdicts: Sequence[FaceState], now: float) -> None:
        """What is known of all announced faces, after every frame, worth a message or not."""
        ...

    def nobody(self, now: float) -> None:
        """All faces were closed, and no frame may follow that says so."""
        ...


class PipelineObserver(Protocol):
    """Whoever looks on: the recorder, the live page, an analysis. Sees all and changes nothing; never blocks."""

    def on_frame(self, frame: Frame, faces: Sequence[Face], decision: Decision, now: float) -> None:
        """A frame was looked at; ``now`` is the time it was decided for, at least that of the latest tick."""
        ...

    def on_tick(self, decision: Decision, now: float) -> None:
        """Time passed without a frame."""
        ...

    def on_close(self, events: Sequence[Event], reason: str, now: float) -> None:
        """Every face was said farewell to."""
        ...


class Pipeline:
    """Not thread-safe; the main thread owns it and all that it is made of."""

    def __init__(
        self,
        see: See,
        decider: EventDetector,
        publisher: EventPublisher,
        observeres: Sequence[PipelineObserver] = (),
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """``forget`` is called once nobody looks any more: what ``see`` remembers of faces ends there."""
        self._see = see
        self._decider = decider
        self._publisher = publisher
        self._witnesses = tuple(observeres)
        self._forget = forget
        self._now = float("-inf")

    def step(self, frame: Frame) -> Decision:
        """Looks at one frame and publishes what follows."""
        faces = self._see(frame)
        decision = self._decide(faces, frame.captured_at)
        for observer in self._witnesses:
            observer.on_frame(frame, faces, decision, self._now)
        return decision

    def idle(self, now: float) -> Decision:
        """Lets time pass without a frame, so that faces still leave when the camera is silent."""
        decision = self._decide((), now)
        for observer in self._witnesses:
            observer.on_tick(decision, self._now)
        return decision

    def close(self, now: float, reason: str) -> None:
        """Says farewell for every face: nobody will look again, or not for a while."""
        self._now = max(self._now, now)
        self._forget()
        events = self._decider.close(self._now, reason)
        for event in events:
            self._publisher.event(event)
        self._publisher.nobody(self._now)
        for observer in self._witnesses:
            observer.on_close(events, reason, self._now)

    def _decide(self, faces: Sequence[Face], now: float) -> Decision:
        # A frame that was captured before the latest idle tick must not turn time back.
        self._now = max(self._now, now)
        decision = self._decider.update(faces, self._now)
        for event in decision.events:
            self._publisher.event(event)
        self._publisher.seen(decision.announced, self._now)
        return decision
