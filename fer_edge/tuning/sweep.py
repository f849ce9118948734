"""How events come and go with a threshold: per expression, told and brief ones an hour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_edge.config.model import DecideSettings
from fer_edge.recording.steps import Recording
from fer_edge.tuning.choose import raised
from fer_edge.tuning.replay import replay
from fer_edge.types import Event, EventKind

GRID = tuple(round(0.30 + 0.05 * step, 2) for step in range(14))  # 0.30 to 0.95
BRIEF_S = 2.0  # an expression that is given up sooner than that flickered


@dataclass(frozen=True, slots=True)
class Point:
    """One expression at one enter threshold."""

    enter: float
    told: int  # times it was told
    brief: int  # of these, given up within BRIEF_S


def sweep(
    recordings: Sequence[Recording], decide: DecideSettings, emotion: str, tell: Callable[[], None] = lambda: None
) -> list[Point]:
    """The points of an expression over GRID, everything else as in ``decide``; ``tell`` is called after each."""
    points = []
    for enter in GRID:
        events = [replay(recording, raised(decide, emotion, enter)) for recording in recordings]
        points.append(
            Point(enter, sum(told(one, emotion) for one in events), sum(brief(one, emotion) for one in events))
        )
        tell()
    return points


def told(events: Sequence[Event], emotion: str) -> int:
    """How often an expression was told: on appearing or as a change."""
    return sum(event.emotion == emotion and event.kind is not EventKind.GONE for event in events)


def brief(events: Sequence[Event], emotion: str) -> int:
    """How often it was given up again within BRIEF_S."""
    count = 0
    latest: dict[int, Event] = {}
    for event in events:
        before = latest.get(event.face)
        if event.kind is EventKind.CHANGED and before is not None and before.emotion == emotion:
            count += event.at - before.at < BRIEF_S
        latest[event.face] = event
    return count
