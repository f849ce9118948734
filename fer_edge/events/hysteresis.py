"""What is believed of one face's expression, and for how long it has been supported.

It remembers the evidence and derives the verdict, never the other way round: a doubt leaves the average untouched.
"""

import msgspec

from fer_edge.events.belief import believed, crossing
from fer_edge.events.rules import GRACE_S, Rules
from fer_edge.events.smoothing import Evidence, add, first, step_s
from fer_edge.types import Scores


class Reading(msgspec.Struct, frozen=True, eq=False):
    """One face's expression: `held` is what is said of it, `candidate` what its latest scored frame supports."""

    since: float  # seconds, monotonic, when `held` was first held
    evidence: Evidence | None = None  # None: never scored, or too long ago
    held: int | None = None
    candidate: int | None = None
    candidate_s: float = 0.0  # how long the candidate has been the same
    doubted_s: float = 0.0  # how long it has been another than `held`


def read(reading: Reading, scores: Scores, now: float, rules: Rules) -> Reading:
    """The reading after one more scored frame.

    Another expression takes over once it alone was the candidate for ``dwell_s``. None takes over once ``held`` was in
    doubt for ``dwell_s``, whatever was the candidate meanwhile: two that take turns at the threshold prove nothing.
    """
    before = reading.evidence
    evidence = first(scores, now) if before is None else add(before, scores, now, rules.smooth_s)
    candidate = believed(evidence.mean, reading.held, rules)
    candidate_s, doubted_s = _clocks(reading, evidence, candidate, step_s(before, now), rules)
    supported_s = doubted_s if candidate is None else candidate_s
    if candidate == reading.held or supported_s < rules.dwell_s - GRACE_S:
        return Reading(reading.since, evidence, reading.held, candidate, candidate_s, doubted_s)
    return Reading(now, evidence, candidate, candidate, candidate_s, 0.0)


def unread(reading: Reading, now: float, rules: Rules) -> Reading:
    """The reading after a frame in which the face was there but not scored.

    Nothing changes until ``forget_s`` have passed since the latest score; then nothing is believed, and the next
    score starts a new average.
    """
    if reading.evidence is None or now - reading.evidence.at < rules.forget_s - GRACE_S:
        return reading
    return Reading(since=reading.since if reading.held is None else now)


def _clocks(
    reading: Reading, evidence: Evidence, candidate: int | None, step: float, rules: Rules
) -> tuple[float, float]:
    """How long the candidate has been the same and how long ``held`` has been in doubt, ``step`` seconds later."""
    before, held = reading.evidence, reading.held
    if before is None:
        return 0.0, 0.0
    candidate_s = reading.candidate_s + step
    doubted_s = 0.0 if candidate == held else reading.doubted_s + step
    if candidate != reading.candidate:
        met = crossing(before.mean, evidence.mean, lambda mean: believed(mean, held, rules) == candidate)
        candidate_s = step * (1.0 - met)
        if reading.candidate == held:
            left = crossing(before.mean, evidence.mean, lambda mean: believed(mean, held, rules) != held)
            doubted_s = step * (1.0 - left)
    return candidate_s, doubted_s
