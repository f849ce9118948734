"""Which expression an average supports: thresholds with hysteresis, and the moment between two frames they were met."""

from collections.abc import Callable

from fer_edge.events.rules import Rules
from fer_edge.events.smoothing import Mean

# Halvings of the interval between two frames: 1/64 of it, 3 ms at 5 fps, is finer than any frame rate.
HALVINGS = 6


def believed(mean: Mean, held: int | None, rules: Rules) -> int | None:
    """The index of the expression that ``mean`` supports while ``held`` is held, None where it supports nothing.

    The strongest, where it reaches its enter threshold; else ``held``, where it still reaches its leave threshold.
    """
    strongest = int(mean.argmax())
    if mean[strongest] >= rules.enter[strongest] and (held is None or mean[strongest] > mean[held]):
        return strongest
    if held is not None and mean[held] >= rules.leave[held]:
        return held
    return None


def crossing(before: Mean, after: Mean, holds: Callable[[Mean], bool]) -> float:
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
