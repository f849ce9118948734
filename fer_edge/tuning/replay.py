"""Kept steps through the decider again: with the settings they were decided by it tells the very same events."""

from collections.abc import Callable

from fer_edge.config.model import DecideSettings
from fer_edge.events.lifecycle import Decider, Decision
from fer_edge.recording.steps import Recording, Step, StepKind
from fer_edge.types import Event

Look = Callable[[Step, Decision], None]  # is shown what became of each step


def _no_look(_step: Step, _decision: Decision) -> None:
    """Nobody looks."""


def replay(recording: Recording, decide: DecideSettings | None = None, look: Look = _no_look) -> list[Event]:
    """The events of a recording by ``decide``, or by the settings that were in force then.

    Faces that were there before the recording begins (a ring has lost its oldest part) are left out: what was known of
    them is not.
    """
    events: list[Event] = []
    decider: Decider | None = None
    unknown = known_before(recording)
    for part in recording.parts:
        rules = decide or part.decide
        if decider is None:
            decider = Decider(rules, part.lost_s)
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


def _again(decider: Decider, step: Step, unknown: frozenset[int]) -> Decision:
    if step.kind is StepKind.CLOSED:
        return Decision(decider.close(step.now, step.reason or "stopped"), (), ())
    return decider.update([face for face in step.faces if face.id not in unknown], step.now)
