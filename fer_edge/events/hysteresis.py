"""What is believed of one face's expression, and for how long it has been supported.

It remembers the evidence and derives the verdict, never the other way round: a doubt leaves the average untouched.
"""

from collections.abc import Callable

import msgspec

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.emotions import EMOTIONS
from fer_edge.events.smoothing import EmaState, Mean, start_average, step_s, update_average
from fer_edge.types import Scores

# A microsecond of grace wherever a sum of frame intervals must reach a limit: ten times 0.05 s must be 0.5 s.
GRACE_S = 1e-6
# Halvings of the interval between two frames: 1/64 of it, 3 ms at 5 fps, is finer than any frame rate.
HALVINGS = 6


class Thresholds(msgspec.Struct, frozen=True):
    """What turns evidence into events."""

    enter: tuple[float, ...]  # in the order of labels.EMOTIONS
    leave: tuple[float, ...]
    smooth_s: float
    dwell_s: float
    arrive_s: float
    lost_s: float

    @property
    def forget_s(self) -> float:
        """Seconds without a score after which nothing is believed: as long as a face may be out of sight."""
        return max(self.lost_s, self.dwell_s)


def resolve_thresholds(settings: DecideSettings, lost_s: float) -> Thresholds:
    """The rules that ``settings`` mean, with the thresholds of single expressions filled in."""
    own = [settings.emotions.get(emotion, Threshold()) for emotion in EMOTIONS]
    return Thresholds(
        enter=tuple(settings.enter if one.enter is None else one.enter for one in own),
        leave=tuple(settings.leave if one.leave is None else one.leave for one in own),
        smooth_s=settings.smooth_s,
        dwell_s=settings.dwell_s,
        arrive_s=settings.arrive_s,
        lost_s=lost_s,
    )


def apply_hysteresis(mean: Mean, held: int | None, rules: Thresholds) -> int | None:
    """The index of the expression that ``mean`` supports while ``held`` is held, None where it supports nothing.

    The strongest, where it reaches its enter threshold; else ``held``, where it still reaches its leave threshold.
    """
    strongest = int(mean.argmax())
    if mean[strongest] >= rules.enter[strongest] and (held is None or mean[strongest] > mean[held]):
        return strongest
    if held is not None and mean[held] >= rules.leave[held]:
        return held
    return None


def crossing_fraction(before: Mean, after: Mean, holds: Callable[[Mean], bool]) -> float:
    """How far, 0 to 1, the straight way from ``before`` goes until ``holds`` is true, given that it is at ``after``.

    A threshold is met between frames. Dating it to the later one would make every dwell at 5 fps up to 0.2 s longer.
    """
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if holds(before + middle * (after - before)):
            high = middle
        else:
            low = middle
    return high


class EmotionState(msgspec.Struct, frozen=True, eq=False):
    """One face's expression: `held` is what is said of it, `candidate` what its latest scored frame supports."""

    since: float  # seconds, monotonic, when `held` was first held
    evidence: EmaState | None = None  # None: never scored, or too long ago
    held: int | None = None
    candidate: int | None = None
    candidate_s: float = 0.0  # how long the candidate has been the same
    doubted_s: float = 0.0  # how long it has been another than `held`


def update_emotion(reading: EmotionState, scores: Scores, now: float, rules: Thresholds) -> EmotionState:
    """The reading after one more scored frame.

    Another expression takes over once it alone was the candidate for ``dwell_s``. None takes over once ``held`` was in
    doubt for ``dwell_s``, whatever was the candidate meanwhile: two that take turns at the threshold prove nothing.
    """
    before = reading.evidence
    evidence = start_average(scores, now) if before is None else update_average(before, scores, now, rules.smooth_s)
    candidate = apply_hysteresis(evidence.mean, reading.held, rules)
    candidate_s, doubted_s = _clocks(reading, evidence, candidate, step_s(before, now), rules)
    supported_s = doubted_s if candidate is None else candidate_s
    if candidate == reading.held or supported_s < rules.dwell_s - GRACE_S:
        return EmotionState(reading.since, evidence, reading.held, candidate, candidate_s, doubted_s)
    return EmotionState(now, evidence, candidate, candidate, candidate_s, 0.0)


def decay_emotion(reading: EmotionState, now: float, rules: Thresholds) -> EmotionState:
    """The reading after a frame in which the face was there but not scored.

    Nothing changes until ``forget_s`` have passed since the latest score; then nothing is believed, and the next
    score starts a new average.
    """
    if reading.evidence is None or now - reading.evidence.at < rules.forget_s - GRACE_S:
        return reading
    return EmotionState(since=reading.since if reading.held is None else now)


def _clocks(
    reading: EmotionState, evidence: EmaState, candidate: int | None, step: float, rules: Thresholds
) -> tuple[float, float]:
    """How long the candidate has been the same and how long ``held`` has been in doubt, ``step`` seconds later."""
    before, held = reading.evidence, reading.held
    if before is None:
        return 0.0, 0.0
    candidate_s = reading.candidate_s + step
    doubted_s = 0.0 if candidate == held else reading.doubted_s + step
    if candidate != reading.candidate:
        met = crossing_fraction(
            before.mean, evidence.mean, lambda mean: apply_hysteresis(mean, held, rules) == candidate
        )
        candidate_s = step * (1.0 - met)
        if reading.candidate == held:
            left = crossing_fraction(
                before.mean, evidence.mean, lambda mean: apply_hysteresis(mean, held, rules) != held
            )
            doubted_s = step * (1.0 - left)
    return candidate_s, doubted_s
