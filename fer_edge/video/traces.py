"""What was held of each face over time, in no more points than a picture can show."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import Decision
from fer_edge.types import Event, Face, Frame, Verdict

LEAST_GAP_S, GAP_STEPS = 0.5, 3.0  # out of sight: longer than that, and than so many usual steps
MOST_POINTS = 4000  # of one face; a picture is 1600 pixels wide


@dataclass(slots=True)
class Trace:
    """One face: thinned by half whenever it grows too long, so that a day's video fits in memory."""

    times: list[float] = field(default_factory=list)  # seconds
    held: list[str | None] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)  # (7,) smoothed
    stride: int = 1  # every stride-th frame is kept
    frames: int = 0
    ended: float = 0.0  # seconds, the latest frame, kept or not

    def add(self, verdict: Verdict, now: float) -> None:
        """One more frame with this face."""
        if self.frames % self.stride == 0:
            self.times.append(now)
            self.held.append(verdict.emotion)
            self.scores.append(verdict.scores)
        self.frames += 1
        self.ended = now
        if len(self.times) > MOST_POINTS:
            del self.times[1::2], self.held[1::2], self.scores[1::2]
            self.stride *= 2

    def gaps(self) -> list[bool]:
        """For each point whether the face was out of sight between it and the next."""
        steps = np.diff(np.array([*self.times, self.ended]))
        longest = max(LEAST_GAP_S, GAP_STEPS * float(np.median(steps)))
        return [bool(step > longest) for step in steps]

    def bands(self) -> list[tuple[float, float, str | None]]:
        """(from, to, expression) in seconds, as long as it was held in sight and without a change."""
        found: list[tuple[float, float, str | None]] = []
        ends = [*self.times[1:], self.ended]
        broken = True
        for begin, end, held, gap in zip(self.times, ends, self.held, self.gaps(), strict=True):
            until = begin if gap else end
            if not broken and found[-1][2] == held:
                found[-1] = (found[-1][0], until, held)
            else:
                found.append((begin, until, held))
            broken = gap
        return found

    def lines(self) -> tuple[list[float], NDArray[np.float32]]:
        """Seconds (n) and smoothed scores (n, 7), with a point that is no number in each gap: there the line breaks."""
        times: list[float] = []
        scores: list[NDArray[np.float32]] = []
        for at, score, gap in zip(self.times, self.scores, self.gaps(), strict=True):
            times += [at, at] if gap else [at]
            scores += [score, np.full(len(EMOTIONS), np.nan, np.float32)] if gap else [score]
        return times, np.array(scores, np.float32).reshape(-1, len(EMOTIONS))


class Traces:
    """A witness that keeps a trace of each face, and all events."""

    def __init__(self) -> None:
        self.faces: dict[int, Trace] = {}
        self.events: list[Event] = []
        self.seconds = 0.0

    def looked(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Adds a frame to the traces of the faces in it."""
        self.seconds = now
        self.events.extend(decision.events)
        for verdict in decision.in_frame:
            self.faces.setdefault(verdict.face, Trace()).add(verdict, now)

    def waited(self, decision: Decision, now: float) -> None:
        """A video does not wait."""

    def closed(self, events: Sequence[Event], _reason: str, _now: float) -> None:
        """The farewells."""
        self.events.extend(events)

    def announced(self) -> list[int]:
        """The faces that were announced, those longest in sight first."""
        told = {event.face for event in self.events}
        return sorted(told & self.faces.keys(), key=lambda face: (-self.faces[face].frames, face))
