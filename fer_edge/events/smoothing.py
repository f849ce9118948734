"""What a face's scores were lately: their average over time, the latest counting most.

The average is exponential in time, not in frames: what is t seconds old counts exp(-t / smooth_s). Between two frames
the scores are taken to run in a straight line, so the same curve sampled 5 or 30 times a second gives the same average
(Eckner 2012, "Algorithms for unevenly spaced time series: moving averages and other rolling operators", EMA_lin). The
usual `average += alpha * (scores - average)` would treat each frame as if it had lasted since the one before, which
puts 5 fps ahead of 30 fps by half a frame.
"""

from math import exp, expm1

import msgspec
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Scores

Mean = NDArray[np.float64]  # (7,) float64 in the order of labels.EMOTIONS, sums to 1

# A quarter of a second: the longest time that one frame vouches for. Above 4 fps it never matters. After a gap it
# keeps the first frame from being taken for the whole gap, which is when a face is turned or half covered.
LONGEST_STEP_S = 0.25


class EmaState(msgspec.Struct, frozen=True, eq=False):
    """A face's average scores, and what it takes to go on averaging."""

    mean: Mean
    weight: float  # 0 to 1: how much of the last smooth_s was seen, 0 at the first frame
    latest: Mean  # scores of the latest scored frame
    at: float  # seconds, monotonic, of that frame


def start_average(scores: Scores, now: float) -> EmaState:
    """The evidence after one frame: its scores, with no weight yet, so that the second frame is worth as much."""
    latest = scores.astype(np.float64)
    return EmaState(mean=latest, weight=0.0, latest=latest, at=now)


def update_average(evidence: EmaState, scores: Scores, now: float, smooth_s: float) -> EmaState:
    """The evidence with one more scored frame; ``smooth_s`` 0 means that frame alone.

    A frame that is not later than the one before adds nothing, since no time passed that it could speak for.
    """
    gap_s = now - evidence.at
    if gap_s <= 0.0:
        return evidence
    latest = scores.astype(np.float64)
    if smooth_s <= 0.0:
        return EmaState(mean=latest, weight=1.0, latest=latest, at=now)
    step = min(gap_s, LONGEST_STEP_S) / smooth_s
    kept = exp(-gap_s / smooth_s) * evidence.weight
    gained = -expm1(-step)
    newer = 1.0 - gained / step  # the part of a straight line's exponential average that belongs to its newer end
    older = gained - newer
    weight = kept + gained
    mean = (kept * evidence.mean + older * evidence.latest + newer * latest) / weight
    return EmaState(mean=mean, weight=weight, latest=latest, at=now)


def step_s(evidence: EmaState | None, now: float) -> float:
    """Seconds since the latest scored frame that the next one may speak for; 0 where it is the first."""
    if evidence is None:
        return 0.0
    return min(max(now - evidence.at, 0.0), LONGEST_STEP_S)
