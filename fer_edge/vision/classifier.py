"""Expression classifier: face pixels to seven calibrated probabilities."""

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

LEAST_PROBABILITY = 1e-7  # lower bound before the logarithm; a quantized output contains zeros


class Classifier:
    """Expression network with its model card. Not thread-safe; the main thread owns it."""

    card: ModelCard
    interpreter: Interpreter

    def __init__(self, card: ModelCard, interpreter: Interpreter) -> None:
        self.card = card
        self.interpreter = interpreter
        self._pixels = pixel_table(interpreter.input, card.input.mean, card.input.std)
        self._order = np.array([card.emotions.index(emotion) for emotion in EMOTIONS])
        self._logits = self._logit_table()

    def scores(self, face: Grey) -> Scores:
        """(7,) float32 in the order of EMOTIONS, sums to 1, for ``face``, (height, width) uint8 of the card."""
        output = self._output(face)
        if self._logits is None:
            return softmax(logits(dequantize(output, self.interpreter.output), self.card.output, self.card.temperature))
        return _softmax_floats([self._logits[byte] for byte in output.tobytes()])

    def raw(self, face: Grey) -> NDArray[np.float32]:
        """(7,) float32 in the order of emotions.EMOTIONS: the network's output, dequantized, before calibration."""
        return dequantize(self._output(face), self.interpreter.output)

    def _output(self, face: Grey) -> NDArray[Any]:
        """(7,) in the dtype of the network's output and the order of emotions.EMOTIONS."""
        tensor = self._pixels.take(face)[None, :, :, None]
        if self.card.input.channels == 3:  # noqa: PLR2004
            tensor = tensor.repeat(3, axis=3)
        output: NDArray[Any] = self.interpreter.invoke(tensor)[0].take(self._order)
        return output

    def _logit_table(self) -> list[float] | None:
        """Logit of each of the 256 values of a quantized output, None for a float output.

        A dozen array operations on seven numbers, with cold caches after the network, took a quarter of the daemon's
        time outside its networks (profiled); plain floats take a tenth of that.
        """
        spec = self.interpreter.output
        if spec.dtype == np.float32:
            return None
        every = np.arange(256, dtype=np.uint8).view(spec.dtype)
        table: list[float] = logits(dequantize(every, spec), self.card.output, self.card.temperature).tolist()
        return table


def load_classifier(model: Path, threads: int = 1) -> Classifier:
    """Load the network in ``model`` with its card; ModelError, one line, if either is missing or broken or they differ.

    The card's hash is compared before the runtime parses the file, and a file that is not bundled is tried in a child
    process: a damaged one may crash the runtime.
    """
    content = read_model(model, "classify.model")
    card = load_card(model)
    verify_file(card, content, model)
    try_model(content, str(model), "expression")
    interpreter = Interpreter(content, str(model), threads)
    verify(card, interpreter, model)
    return Classifier(card, interpreter)


def calibrated(raw: NDArray[np.float32], output: Output, temperature: float) -> NDArray[np.float32]:
    """Probabilities over the last axis of network outputs, float32 of the same shape.

    Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks". It keeps the order.
    """
    return softmax(logits(raw, output, temperature))


def logits(raw: NDArray[np.float32], output: Output, temperature: float) -> NDArray[np.float32]:
    """Arguments of the softmax: logits / temperature; probabilities are converted to logits first."""
    unscaled = raw if output == "logits" else np.log(np.maximum(raw, LEAST_PROBABILITY))
    return (unscaled / temperature).astype(np.float32)


def _softmax_floats(logits: list[float]) -> Scores:
    """`softmax` of a short list."""
    highest = max(logits)
    powers = [exp(logit - highest) for logit in logits]
    total = sum(powers)
    return np.array([power / total for power in powers], np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over the last axis."""
    powers: NDArray[np.float32] = np.exp(logits - np.maximum.reduce(logits, axis=-1, keepdims=True))
    powers /= np.add.reduce(powers, axis=-1, keepdims=True)
    return powers
