"""One frame in, what happened out: the way of the data, without a camera, a clock or a broker in it.

    frame -> see (detect, track, classify) -> decide -> events and state to the publisher

All parts are parameters, so that the pipeline's stories are told in tests with plain functions.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from fer_edge.decide.decider import Decider, Decision
from fer_edge.values import Event, Face, Frame, Verdict

See = Callable[[Frame], Sequence[Face]]


class Publisher(Protocol):
    """Whoever is told what happened; never blocks."""

    def event(self, event: Event) -> None:
        """Something happened to a face."""
        ...

    def seen(self, verdicts: Sequence[Verdict], now: float) -> None:
        """What is known of all announced faces, after every frame, worth a message or not."""
        ...

    def nobody(self, now: float) -> None:
        """All faces were closed, and no frame may follow that says so."""
        ...


class Pipeline:
    """Not thread-safe; the main thread owns it and all that it is made of."""

    def __init__(self, see: See, decider: Decider, publisher: Publisher) -> None:
        self._see = see
        self._decider = decider
        self._publisher = publisher
        self._now = float("-inf")

    def step(self, frame: Frame) -> Decision:
        """Looks at one frame and publishes what follows."""
        return self._decide(self._see(frame), frame.captured_at)

    def idle(self, now: float) -> Decision:
        """Lets time pass without a frame, so that faces still leave when the camera is silent."""
        return self._decide((), now)

    def close(self, now: float, reason: str) -> None:
        """Says farewell for every face: nobody will look again, or not for a while."""
        self._now = max(self._now, now)
        for event in self._decider.close(self._now, reason):
            self._publisher.event(event)
        self._publisher.nobody(self._now)

    def _decide(self, faces: Sequence[Face], now: float) -> Decision:
        # A frame that was captured before the latest idle tick must not turn time back.
        self._now = max(self._now, now)
        decision = self._decider.update(faces, self._now)
        for event in decision.events:
            self._publisher.event(event)
        self._publisher.seen(decision.announced, self._now)
        return decision
