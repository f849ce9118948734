"""Calibration of confidence by one number: temperature scaling (Guo et al. 2017, section 4.2).

Dividing all logits by one temperature changes no answer, only how sure it sounds; a network that was trained until its
training faces were certain needs a temperature above 1.
"""

import numpy as np
from numpy.typing import NDArray

from converter.networks.metrics import Floats, Labels

TEMPERATURE_LIMITS = (0.01, 100.0)  # a network at chance wants an infinite one; beyond this it makes no difference
BISECTIONS = 60  # halvings of ln(10,000): the interval ends below 1e-17


def fit_temperature(logits: Floats, truth: Labels) -> float:
    """The temperature in `TEMPERATURE_LIMITS` at which softmax(logits / temperature) has the least log loss.

    ``logits`` (n, 7), ``truth`` (n,). In the inverse temperature the log loss is convex, so its slope has at most one
    zero, and halving finds it without a step size to choose.
    """
    low, high = (np.log(1.0 / limit) for limit in reversed(TEMPERATURE_LIMITS))
    wide = logits.astype(np.float64)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _slope(wide, truth, float(np.exp(middle))) > 0:
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """The probabilities of ``logits`` / ``temperature`` along the last axis; every row sums to 1."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _slope(logits: NDArray[np.float64], truth: Labels, inverse_temperature: float) -> float:
    """The derivative of the log loss by the inverse temperature: expected logit minus the true one."""
    expected = (softmax(logits, 1 / inverse_temperature) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(truth)), truth]).mean())
