"""Kept steps through the decider again: with the settings they were decided by it tells the very same events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import Decision, EventDetector
from fer_edge.recording.format import Recording, Step, StepKind
from fer_edge.types import Event

Look = Callable[[Step, Decision], None]  # is shown what became of each step
SAME_S = 0.02  # closer than any two frames: told at the same time
NEAR_S = 5.0  # the same thing told earlier or later; further apart it is another


def _no_look(_step: Step, _decision: Decision) -> None:
    """Nobody looks."""


def replay(recording: Recording, decide: DecideSettings | None = None, look: Look = _no_look) -> list[Event]:
    """The events of a recording by ``decide``, or by the settings that were in force then.

    Faces that were there before the recording begins (a ring has lost its oldest part) are left out: what was known of
    them is not.
    """
    events: list[Event] = []
    decider: EventDetector | None = None
    unknown = known_before(recording)
    for part in recording.parts:
        rules = decide or part.decide
        if decider is None:
            decider = EventDetector(rules, part.lost_s)
        else:
            decider.reconfigure(rules, part.lost_s)
        for step in part.steps:
            decision = _again(decider, step, unknown)
            events.extend(decision.events)
            look(step, decision)
    return events


def known_before(recording: Recording) -> frozenset[int]:
    """The faces that had been seen before the first step; a replay leaves them out."""
    began = recording.began
    faces = (face for part in recording.parts for step in part.steps for face in step.faces)
    return frozenset(face.id for face in faces if face.first_seen < began)


def _again(decider: EventDetector, step: Step, unknown: frozenset[int]) -> Decision:
    if step.kind is StepKind.CLOSED:
        return Decision(decider.close(step.now, step.reason or "stopped"), (), ())
    return decider.update([face for face in step.faces if face.id not in unknown], step.now)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Each event of either side is in exactly one of these."""

    kept: tuple[Event, ...]
    moved: tuple[tuple[Event, Event], ...]  # as it was, as it would be
    new: tuple[Event, ...]
    gone: tuple[Event, ...]


def compare(before: Sequence[Event], after: Sequence[Event]) -> Comparison:
    """Pairs events of the same face, kind and expression, the nearest in time first."""
    alike: dict[tuple[int, str, str | None], list[int]] = {}
    for j, event in enumerate(after):
        alike.setdefault(_what(event), []).append(j)
    near = sorted(
        (abs(one.at - after[j].at), i, j)
        for i, one in enumerate(before)
        for j in alike.get(_what(one), ())
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


def _what(event: Event) -> tuple[int, str, str | None]:
    return event.face, event.kind, event.emotion


def _same_time(one: Event, other: Event) -> bool:
    return abs(one.at - other.at) <= SAME_S
