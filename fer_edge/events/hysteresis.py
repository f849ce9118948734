"""Thresholds with hysteresis and dwell: the expression of one track, derived from its smoothed scores.

The decision is derived from the average and never fed back into it.
"""

from collections.abc import Callable

import msgspec

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.smoothing import EmaState, Mean, start_average, step_s, update_average
from fer_edge.types import Scores

# Tolerance where a sum of frame intervals must reach a limit: ten times 0.05 s must be 0.5 s.
GRACE_S = 1e-6
# Bisections of the interval between two frames: 1/64 of it is 3 ms at 5 fps.
BISECTIONS = 6


class Thresholds(msgspec.Struct, frozen=True):
    """Resolved settings: thresholds of each expression, and times in seconds."""

    enter: tuple[float, ...]  # in the order of emotions.EMOTIONS
    leave: tuple[float, ...]
    smooth_s: float
    dwell_s: float
    arrive_s: float
    lost_s: float

    @property
    def reset_s(self) -> float:
        """Seconds without a score after which the average starts anew: as long as a face may be out of sight."""
        return max(self.lost_s, self.dwell_s)


def resolve_thresholds(settings: DecideSettings, lost_s: float) -> Thresholds:
    """Return ``settings`` with the thresholds of each expression filled in."""
    enters, leaves = zip(*(settings.thresholds(emotion) for emotion in EMOTIONS), strict=True)
    return Thresholds(
        enter=enters,
        leave=leaves,
        smooth_s=settings.smooth_s,
        dwell_s=settings.dwell_s,
        arrive_s=settings.arrive_s,
        lost_s=lost_s,
    )


def apply_hysteresis(mean: Mean, held: int | None, thresholds: Thresholds) -> int | None:
    """Return the index of the expression that ``mean`` supports while ``held`` is held, None for none.

    That is the strongest, if it reaches its enter threshold; else ``held``, if it still reaches its leave threshold.
    """
    strongest = int(mean.argmax())
    if mean[strongest] >= thresholds.enter[strongest] and (held is None or mean[strongest] > mean[held]):
        return strongest
    if held is not None and mean[held] >= thresholds.leave[held]:
        return held
    return None


def crossing_fraction(before: Mean, after: Mean, holds: Callable[[Mean], bool]) -> float:
    """Fraction of the linear step from ``before`` to ``after`` at which ``holds`` becomes true, by bisection.

    ``holds(after)`` must be true. A threshold is crossed between frames: dating the crossing to the later frame would
    make every dwell at 5 fps up to 0.2 s longer.
    """
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if holds(before + middle * (after - before)):
            high = middle
        else:
            low = middle
    return high


class EmotionState(msgspec.Struct, frozen=True, eq=False):
    """Expression of one track: `held` is the published one, `candidate` the one that the average supports now."""

    since: float  # seconds, monotonic, when `held` was first held
    average: EmaState | None = None  # None: never scored, or too long ago
    held: int | None = None
    candidate: int | None = None
    candidate_s: float = 0.0  # how long the candidate has been the same
    doubted_s: float = 0.0  # how long it has differed from `held`


def update_emotion(state: EmotionState, scores: Scores, now: float, thresholds: Thresholds) -> EmotionState:
    """Return the state after one more scored frame.

    Another expression takes over after ``dwell_s`` as the only candidate. None takes over after ``dwell_s`` in which
    ``held`` was not the candidate, whichever was: two expressions that alternate at the threshold hold neither.
    """
    before = state.average
    average = start_average(scores, now) if before is None else update_average(before, scores, now, thresholds.smooth_s)
    candidate = apply_hysteresis(average.mean, state.held, thresholds)
    candidate_s, doubted_s = _dwell_times(state, average, candidate, step_s(before, now), thresholds)
    supported_s = doubted_s if candidate is None else candidate_s
    if candidate == state.held or supported_s < thresholds.dwell_s - GRACE_S:
        return EmotionState(state.since, average, state.held, candidate, candidate_s, doubted_s)
    return EmotionState(now, average, candidate, candidate, candidate_s, 0.0)


def decay_emotion(state: EmotionState, now: float, thresholds: Thresholds) -> EmotionState:
    """Return the state after a frame in which the face was present but not scored.

    Nothing changes until ``reset_s`` have passed since the latest score. Then no expression is held, and the next
    score starts a new average.
    """
    if state.average is None or now - state.average.at < thresholds.reset_s - GRACE_S:
        return state
    return EmotionState(since=state.since if state.held is None else now)


def _dwell_times(
    state: EmotionState, average: EmaState, candidate: int | None, step: float, thresholds: Thresholds
) -> tuple[float, float]:
    """Return ``candidate_s`` and ``doubted_s``, ``step`` seconds later."""
    before, held = state.average, state.held
    if before is None:
        return 0.0, 0.0
    candidate_s = state.candidate_s + step
    doubted_s = 0.0 if candidate == held else state.doubted_s + step
    if candidate != state.candidate:
        crossed = crossing_fraction(
            before.mean, average.mean, lambda mean: apply_hysteresis(mean, held, thresholds) == candidate
        )
        candidate_s = step * (1.0 - crossed)
        if state.candidate == held:
            left = crossing_fraction(
                before.mean, average.mean, lambda mean: apply_hysteresis(mean, held, thresholds) != held
            )
            doubted_s = step * (1.0 - left)
    return candidate_s, doubted_s
