"""A face's pixels to seven calibrated probabilities."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.labels import EMOTIONS
from fer_edge.values import Scores
from fer_edge.vision.card import Card, load_card, verify, verify_file
from fer_edge.vision.preprocess import Grey
from fer_edge.vision.runner import Runner, dequantize, pixel_table, read_model

LEAST_PROBABILITY = 1e-7  # what a probability of 0 is taken for before its logarithm; a quantized output has many


class Classifier:
    """An expression network with its card. Not thread-safe; the main thread owns it."""

    card: Card
    runner: Runner

    def __init__(self, card: Card, runner: Runner) -> None:
        self.card = card
        self.runner = runner
        self._table = pixel_table(runner.input, card.input.mean, card.input.std)
        self._order = np.array([card.emotions.index(emotion) for emotion in EMOTIONS])

    def scores(self, face: Grey) -> Scores:
        """(7,) float32 in the order of labels.EMOTIONS, sums to 1, for ``face``, (height, width) uint8 of the card."""
        return calibrated(self.raw(face), self.card.output, self.card.temperature)

    def raw(self, face: Grey) -> NDArray[np.float32]:
        """(7,) float32 in the order of labels.EMOTIONS: what the network says, dequantized, before calibration."""
        fed = self._table.take(face)[None, :, :, None]
        if self.card.input.channels == 3:  # noqa: PLR2004
            fed = fed.repeat(3, axis=3)
        return dequantize(self.runner.invoke(fed)[0].take(self._order), self.runner.output)


def load_classifier(model: Path, threads: int = 1) -> Classifier:
    """The network in ``model`` with its card; ModelError, one line, where either is missing, broken or of the other.

    The card's hash is compared before the runtime sees the file: a damaged file that still parses could do anything.
    """
    content = read_model(model, "classify.model")
    card = load_card(model)
    verify_file(card, content, model)
    runner = Runner(content, str(model), threads)
    verify(card, runner, model)
    return Classifier(card, runner)


def calibrated(
    raw: NDArray[np.floating[Any]], output: Literal["logits", "probabilities"], temperature: float
) -> NDArray[np.float32]:
    """Softmax of logits / temperature over the last axis, float32; probabilities are turned into logits first.

    Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks". It never changes the winner.
    """
    logits = raw if output == "logits" else np.log(np.maximum(raw, LEAST_PROBABILITY))
    scaled = logits / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares
