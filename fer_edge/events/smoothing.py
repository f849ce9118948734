"""Exponential moving average of one track's scores, over irregularly spaced frames.

Exponential in time, not in frames: a score of age t has weight exp(-t / smooth_s). Scores are interpolated linearly
between two frames, so the same curve sampled at 5 or at 30 fps gives the same average: EMA_lin of Eckner 2012,
"Algorithms for unevenly spaced time series: moving averages and other rolling operators". The usual
`average += alpha * (scores - average)` holds each frame's scores back to the frame before, which puts 5 fps ahead of
30 fps by half a frame.
"""

from math import exp, expm1

import msgspec
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Scores

Mean = NDArray[np.float64]  # (7,) float64 in the order of emotions.EMOTIONS, sums to 1

# Longest time that one frame counts for. It matters only below 4 fps and after a gap: the first frame after a gap,
# often of a face half turned or half covered, must not count for all of it.
LONGEST_STEP_S = 0.25


class EmaState(msgspec.Struct, frozen=True, eq=False):
    """Average scores of a track, and what the next update needs."""

    mean: Mean
    weight: float  # 0 to 1: share of the last smooth_s that was scored, 0 at the first frame
    latest: Mean  # scores of the latest scored frame
    at: float  # seconds, monotonic, of that frame


def start_average(scores: Scores, now: float) -> EmaState:
    """Return the average of one frame. Its weight is 0, so that the second frame counts as much."""
    latest = scores.astype(np.float64)
    return EmaState(mean=latest, weight=0.0, latest=latest, at=now)


def update_average(average: EmaState, scores: Scores, now: float, smooth_s: float) -> EmaState:
    """Return the average with one more scored frame; ``smooth_s`` 0 returns that frame alone.

    A frame that is not later than the one before adds nothing.
    """
    gap_s = now - average.at
    if gap_s <= 0.0:
        return average
    latest = scores.astype(np.float64)
    if smooth_s <= 0.0:
        return EmaState(mean=latest, weight=1.0, latest=latest, at=now)
    step = min(gap_s, LONGEST_STEP_S) / smooth_s
    kept = exp(-gap_s / smooth_s) * average.weight
    gained = -expm1(-step)
    newer = 1.0 - gained / step  # weight of the newer end of the interpolated interval
    older = gained - newer
    weight = kept + gained
    mean = (kept * average.mean + older * average.latest + newer * latest) / weight
    return EmaState(mean=mean, weight=weight, latest=latest, at=now)


def step_s(average: EmaState | None, now: float) -> float:
    """Seconds that the next scored frame counts for: since the latest one, at most LONGEST_STEP_S, 0 for the first."""
    if average is None:
        return 0.0
    return min(max(now - average.at, 0.0), LONGEST_STEP_S)
