"""Replay of recorded steps through the event detector. With unchanged settings it gives exactly the same events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.recording.format import Recording, Step, StepKind
from fer_edge.types import Event

OnStep = Callable[[Step, Decision], None]
SAME_S = 0.02  # closer than any two frames: the same time
NEAR_S = 5.0  # the same event earlier or later; further apart it is another event


def _ignore(_step: Step, _decision: Decision) -> None:
    pass


def replay(recording: Recording, decide: DecideSettings | None = None, on_step: OnStep = _ignore) -> list[Event]:
    """Return the events of a recording with ``decide``, or with the recorded settings.

    Faces that were present before the recording began (the oldest tables have been deleted) are left out, since their
    earlier scores are missing.
    """
    events: list[Event] = []
    detector: EventDetector | None = None
    unknown = faces_before(recording)
    for part in recording.parts:
        settings = decide or part.decide
        if detector is None:
            detector = EventDetector(settings, part.lost_s)
        else:
            detector.reconfigure(settings, part.lost_s)
        for step in part.steps:
            decision = _decide(detector, step, unknown)
            events.extend(decision.events)
            on_step(step, decision)
    return events


def faces_before(recording: Recording) -> frozenset[int]:
    """Return the faces that were present before the first step; a replay leaves them out."""
    began = recording.began
    faces = (face for part in recording.parts for step in part.steps for face in step.faces)
    return frozenset(face.id for face in faces if face.first_seen < began)


def _decide(detector: EventDetector, step: Step, unknown: frozenset[int]) -> Decision:
    if step.kind is StepKind.CLOSED:
        return Decision(detector.close(step.now, step.reason or "stopped"), (), ())
    return detector.update([face for face in step.faces if face.id not in unknown], step.now)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Difference of two lists of events; each event is in exactly one group."""

    kept: tuple[Event, ...]
    moved: tuple[tuple[Event, Event], ...]  # before, after
    new: tuple[Event, ...]
    gone: tuple[Event, ...]


def compare(before: Sequence[Event], after: Sequence[Event]) -> Comparison:
    """Pair events of the same face, kind and expression, the nearest in time first."""
    alike: dict[tuple[int, str, str | None], list[int]] = {}
    for j, event in enumerate(after):
        alike.setdefault(_key(event), []).append(j)
    near = sorted(
        (abs(one.at - after[j].at), i, j)
        for i, one in enumerate(before)
        for j in alike.get(_key(one), ())
        if abs(one.at - after[j].at) <= NEAR_S
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in near:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    matched = sorted(pairs.items())
    return Comparison(
        kept=tuple(before[i] for i, j in matched if _same_time(before[i], after[j])),
        moved=tuple((before[i], after[j]) for i, j in matched if not _same_time(before[i], after[j])),
        new=tuple(event for j, event in enumerate(after) if j not in taken),
        gone=tuple(event for i, event in enumerate(before) if i not in pairs),
    )


def _key(event: Event) -> tuple[int, str, str | None]:
    return event.face, event.kind, event.emotion


def _same_time(one: Event, other: Event) -> bool:
    return abs(one.at - other.at) <= SAME_S
