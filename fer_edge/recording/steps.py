"""One step of the pipeline as it is kept: the faces of a frame, the passing of time, or the farewell to all faces."""

from dataclasses import dataclass
from enum import StrEnum

from fer_edge.config.model import DecideSettings
from fer_edge.types import Face


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
class Part:
    """Steps that were decided by the same settings."""

    steps: tuple[Step, ...]
    decide: DecideSettings
    lost_s: float  # seconds, `track.lost_s`


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What was kept of a video or of one run of a daemon; settings may have been reloaded between its parts."""

    name: str
    parts: tuple[Part, ...]
    began_wall: float | None = None  # seconds since 1970 of time 0, None for a video

    @property
    def began(self) -> float:
        """Seconds of the first step, 0 without one."""
        return next((part.steps[0].now for part in self.parts if part.steps), 0.0)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        ends = [part.steps[-1].now for part in self.parts if part.steps]
        return ends[-1] - self.began if ends else 0.0
