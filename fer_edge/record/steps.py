"""One step of the pipeline as it is kept: the faces of a frame, the passing of time, or the farewell to all faces."""

from dataclasses import dataclass
from enum import StrEnum

from fer_edge.config import DecideSettings
from fer_edge.values import Face


class StepKind(StrEnum):
    FRAME = "frame"
    TICK = "tick"  # time passed without a frame
    CLOSED = "closed"  # every face was said farewell to


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What the decider was given; given again in the same order it decides the same."""

    kind: StepKind
    now: float  # seconds, monotonic or media time
    faces: tuple[Face, ...] = ()
    reason: str | None = None  # of a farewell
    number: int | None = None  # of a frame


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Steps that follow each other, and the settings by which they were decided when they were kept."""

    steps: tuple[Step, ...]
    decide: DecideSettings
    lost_s: float  # seconds, `track.lost_s`
    name: str
    began_wall: float | None = None  # seconds since 1970 of `now` 0, None for a video

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.steps[-1].now - self.steps[0].now if self.steps else 0.0
