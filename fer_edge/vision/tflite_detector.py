"""The detector that this project trains (`fer-convert train-detector`): int8, on the runtime that is there."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.config.model import DetectSettings
from fer_edge.files import user_path
from fer_edge.types import Box, Detection, Image
from fer_edge.vision.box_decoding import candidates, weighted_nms
from fer_edge.vision.interpreter import Interpreter, dequantize, pixel_table, read_model
from fer_edge.vision.model_card import DETECTOR_CURE, DetectorCard, load_detector_card, verify_detector, verify_file
from fer_edge.vision.model_trial import try_model
from fer_edge.vision.preprocess import Crop, reduced, reduced_size

MULTIPLE_PX = 32  # of both sides of the network's picture: its deepest layer's stride
LEAST_SCORE, MOST_SCORE = 1e-6, 1 - 1e-6  # what 0 and 1 in detect.score are taken for before the logarithm
SHIPPED = Path(str(files("fer_edge.models") / "fer-face.tflite"))

# benchmarks/crop_margin.py --detector FILE.tflite measures it.
CROP = Crop(scale=1.1, dy=0.0)


class TfliteDetector:
    """A fully convolutional network on a reduced frame. Not thread-safe; the main thread owns it.

    The frame keeps its aspect; below and to the right of it the network's picture is grey up to multiples of 32, so a
    width of 160 or 320 wastes the least. When frames change their size the network is told once.
    """

    crop = CROP

    def __init__(self, card: DetectorCard, runner: Interpreter, settings: DetectSettings) -> None:
        self.card = card
        self.runner = runner
        self.name = card.name
        self._width = settings.width
        self._least_logit = logit(settings.score) - card.score_offset
        self._fed = pixel_table(runner.input, card.input.mean, card.input.std)
        self._frame_size = (0, 0)
        self._size = (0, 0)
        self._picture: NDArray[Any] = np.empty(0, runner.input.dtype)

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """All faces in (h, w, 3) uint8 BGR, in its pixels, surest first."""
        height, width = image.shape[:2]
        if (width, height) != self._frame_size:
            self._look_at(width, height)
        columns, rows = self._size
        self._picture[0, :rows, :columns] = cv2.LUT(reduced(image, self._size), self._fed)
        cells = dequantize(self.runner.invoke(self._picture)[0], self.runner.output)
        boxes, logits = candidates(cells, self._least_logit)
        if not len(boxes):
            return ()
        boxes, scores = weighted_nms(boxes, 1 / (1 + np.exp(-logits - self.card.score_offset)))
        sx, sy = width / columns, height / rows
        return tuple(
            [
                Detection(Box(left * sx, top * sy, (right - left) * sx, (bottom - top) * sy), score)
                for (left, top, right, bottom), score in zip(boxes.tolist(), scores.tolist(), strict=True)
            ]
        )

    def _look_at(self, width: int, height: int) -> None:
        """From now on frames are of this size."""
        self._frame_size = (width, height)
        self._size = reduced_size(width, height, self._width)
        shape = (1, *(-(-side // MULTIPLE_PX) * MULTIPLE_PX for side in reversed(self._size)), 3)
        if shape != self.runner.input.shape:
            self.runner.resize(shape)
        self._picture = np.full(shape, self._fed[round(self.card.input.mean)], self.runner.input.dtype)


def load_detector(settings: DetectSettings) -> TfliteDetector:
    """The network that `detect.model` names, or the one that ships; ModelError, one line, where its card does not fit.

    The file is tested before the runtime sees it, as `classify.load_classifier` does.
    """
    path = user_path(settings.model) if settings.model else SHIPPED
    content = read_model(path, "detect.model")
    card = load_detector_card(path)
    verify_file(card, content, path, DETECTOR_CURE)
    try_model(content, str(path), "detector")
    runner = Interpreter(content, str(path))
    verify_detector(runner, path)
    return TfliteDetector(card, runner, settings)


def logit(score: float) -> float:
    """The inverse of the sigmoid; 0 and 1 are taken for numbers just inside."""
    inside = min(max(score, LEAST_SCORE), MOST_SCORE)
    return float(np.log(inside / (1 - inside)))
