"""A face's pixels to seven calibrated probabilities."""

from math import exp
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.emotions import EMOTIONS
from fer_edge.types import Scores
from fer_edge.vision.interpreter import Interpreter, dequantize, pixel_table, read_model
from fer_edge.vision.model_card import ModelCard, load_card, verify, verify_file
from fer_edge.vision.model_trial import try_model
from fer_edge.vision.preprocess import Grey

Output = Literal["logits", "probabilities"]

LEAST_PROBABILITY = 1e-7  # what a probability of 0 is taken for before its logarithm; a quantized output has many


class Classifier:
    """An expression network with its card. Not thread-safe; the main thread owns it."""

    card: ModelCard
    runner: Interpreter

    def __init__(self, card: ModelCard, runner: Interpreter) -> None:
        self.card = card
        self.runner = runner
        self._fed = pixel_table(runner.input, card.input.mean, card.input.std)
        self._order = np.array([card.emotions.index(emotion) for emotion in EMOTIONS])
        self._meant = self._logit_table()

    def scores(self, face: Grey) -> Scores:
        """(7,) float32 in the order of labels.EMOTIONS, sums to 1, for ``face``, (height, width) uint8 of the card."""
        stored = self._stored(face)
        if self._meant is None:
            return softmax(logits(dequantize(stored, self.runner.output), self.card.output, self.card.temperature))
        return _softmax_of_few([self._meant[byte] for byte in stored.tobytes()])

    def raw(self, face: Grey) -> NDArray[np.float32]:
        """(7,) float32 in the order of labels.EMOTIONS: what the network says, dequantized, before calibration."""
        return dequantize(self._stored(face), self.runner.output)

    def _stored(self, face: Grey) -> NDArray[Any]:
        """(7,) in the dtype of the network's output and the order of labels.EMOTIONS."""
        fed = self._fed.take(face)[None, :, :, None]
        if self.card.input.channels == 3:  # noqa: PLR2004
            fed = fed.repeat(3, axis=3)
        stored: NDArray[Any] = self.runner.invoke(fed)[0].take(self._order)
        return stored

    def _logit_table(self) -> list[float] | None:
        """What each of the 256 bytes of a quantized output stands for, None for a float output.

        A dozen array operations on seven numbers, each with cold caches after the network, took a quarter of
        what the whole daemon adds to its two networks (profiled); plain floats take a tenth of that.
        """
        output = self.runner.output
        if output.dtype == np.float32:
            return None
        every = np.arange(256, dtype=np.uint8).view(output.dtype)
        meant: list[float] = logits(dequantize(every, output), self.card.output, self.card.temperature).tolist()
        return meant


def load_classifier(model: Path, threads: int = 1) -> Classifier:
    """The network in ``model`` with its card; ModelError, one line, where either is missing, broken or of the other.

    The card's hash is compared before the runtime sees the file, and a file that does not ship is tried in a child
    process: a damaged one that still parses could do anything.
    """
    content = read_model(model, "classify.model")
    card = load_card(model)
    verify_file(card, content, model)
    try_model(content, str(model), "expression")
    runner = Interpreter(content, str(model), threads)
    verify(card, runner, model)
    return Classifier(card, runner)


def calibrated(raw: NDArray[np.float32], output: Output, temperature: float) -> NDArray[np.float32]:
    """Probabilities over the last axis of what networks say, float32 of the same shape.

    Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks". It never changes the winner.
    """
    return softmax(logits(raw, output, temperature))


def logits(raw: NDArray[np.float32], output: Output, temperature: float) -> NDArray[np.float32]:
    """What the softmax is taken of: logits / temperature; probabilities are turned into logits first."""
    unscaled = raw if output == "logits" else np.log(np.maximum(raw, LEAST_PROBABILITY))
    return (unscaled / temperature).astype(np.float32)


def _softmax_of_few(logits: list[float]) -> Scores:
    """`softmax` of a handful of numbers."""
    highest = max(logits)
    powers = [exp(one - highest) for one in logits]
    total = sum(powers)
    return np.array([power / total for power in powers], np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Positive shares over the last axis that sum to 1."""
    powers: NDArray[np.float32] = np.exp(logits - np.maximum.reduce(logits, axis=-1, keepdims=True))
    powers /= np.add.reduce(powers, axis=-1, keepdims=True)
    return powers
