"""Score vectors by the names of their expressions."""

from collections.abc import Callable

import numpy as np
import pytest

from fer_edge.emotions import EMOTIONS
from fer_edge.types import Scores


def mix(**strong: float) -> Scores:
    """(7,) float32: the named probabilities, the rest of 1 spread evenly over the others."""
    rest = (1.0 - sum(strong.values())) / (len(EMOTIONS) - len(strong))
    return np.array([strong.get(emotion, rest) for emotion in EMOTIONS], np.float32)


@pytest.fixture(scope="session")
def scores() -> Callable[..., Scores]:
    """`scores(happy=0.8)`: the named probabilities, the rest of 1 spread evenly over the others."""
    return mix
