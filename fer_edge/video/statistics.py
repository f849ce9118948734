"""Figures of a video."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from fer_edge.events.lifecycle import Decision
from fer_edge.events.summary import SummaryAccumulator
from fer_edge.pipeline import PipelineObserver
from fer_edge.types import Event, EventKind, Face, Frame, Outcome


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one video."""

    source: str
    frames: int = 0
    seconds: float = 0.0  # media time of the last frame
    faces: int = 0  # that were announced
    events: dict[str, int] = {}  # by their type
    emotion_s: dict[str, float] = {}  # seconds of each expression, summed over faces
    unsure_s: float = 0.0
    outcomes: dict[str, int] = {}  # faces by outcome, summed over frames
    took_s: float = 0.0
    outputs: dict[str, str] = {}  # kind -> path
    failure: str | None = None  # one line; `outputs` then holds what was written anyway


class Statistics(PipelineObserver):
    """Pipeline observer that sums up a video."""

    def __init__(self) -> None:
        self._summary = SummaryAccumulator(0.0)
        self._outcomes: Counter[Outcome] = Counter()
        self._events: Counter[EventKind] = Counter()
        self.frames = 0
        self.seconds = 0.0

    def on_frame(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Count a frame."""
        self.frames += 1
        self.seconds = now
        self._summary.add(decision.states, now)
        self._outcomes.update(state.outcome for state in decision.in_frame)
        self._events.update(event.kind for event in decision.events)

    def on_close(self, events: Sequence[Event], _reason: str, _now: float) -> None:
        """Count the last events."""
        self._events.update(event.kind for event in events)

    def report(self, source: str) -> Report:
        """Return the figures."""
        window = self._summary.close(self.seconds)
        return Report(
            source=source,
            frames=self.frames,
            seconds=round(self.seconds, 3),
            faces=window.faces,
            events={kind.value: self._events[kind] for kind in EventKind if kind is not EventKind.GAP},
            emotion_s={emotion: round(held_s, 3) for emotion, held_s in window.dwell_s.items()},
            unsure_s=round(window.unsure_s, 3),
            outcomes={outcome.value: self._outcomes[outcome] for outcome in Outcome},
        )
