"""The network whose weights are the mean of recent ones: steadier than the one that is trained, and what is kept."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Average:
    """Exponential mean over the ends of epochs, held in a second network. Not thread-safe; the training loop owns it.

    The mean of weights needs BatchNorm statistics of its own (Izmailov et al. 2018): they are measured anew on
    training batches, not averaged.
    """

    def __init__(self, network: Any, horizon_epochs: float) -> None:
        """``network`` is overwritten; ``horizon_epochs`` of 0 keeps the latest weights and statistics as they are."""
        self.network = network
        self._horizon_epochs = horizon_epochs

    def update(self, weights: list[NDArray[np.float32]], epochs_done: int, batches: Iterable[Any]) -> None:
        """Take in the weights at the end of an epoch; ``batches`` of inputs give the BatchNorm statistics.

        Early on the mean is that of all epochs so far: a fixed decay would drag the random start along.
        """
        if not self._horizon_epochs:
            self.network.set_weights(weights)
            return
        decay = min(max(0.0, 1.0 - 1.0 / self._horizon_epochs), (epochs_done - 1) / epochs_done)
        mean = [decay * old + (1 - decay) * new for old, new in zip(self.network.get_weights(), weights, strict=True)]
        self.network.set_weights(mean)
        _measure_statistics(self.network, batches)


def _measure_statistics(network: Any, batches: Iterable[Any]) -> None:
    """Set every BatchNorm's moving mean and variance to their mean over ``batches``."""
    import keras

    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    try:
        for index, batch in enumerate(batches):
            for norm in norms:
                norm.momentum = index / (index + 1)  # the running mean of all batches so far
            network(batch, training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
