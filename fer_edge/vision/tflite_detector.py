"""TFLite face detector trained in this project (`fer-convert train-detector`), int8."""

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
from fer_edge.vision.model_card import DetectorCard, load_detector_card, verify_detector, verify_file
from fer_edge.vision.model_trial import try_model
from fer_edge.vision.preprocess import Crop, reduced, reduced_size

MULTIPLE_PX = 32  # of both sides of the network's input: its deepest layer's stride
LEAST_SCORE, MOST_SCORE = 1e-6, 1 - 1e-6  # bounds of detect.score before the logarithm
SHIPPED = Path(str(files("fer_edge.models") / "fer-face.tflite"))

# benchmarks/crop_margin.py --detector FILE.tflite measures it.
CROP = Crop(scale=1.1, dy=0.0)


class TfliteDetector:
    """Fully convolutional detector on a downscaled frame. Not thread-safe; the main thread owns it.

    The frame keeps its aspect ratio and is padded with grey at the bottom and right to multiples of 32, so widths of
    160 and 320 waste the least. A change of the frame size resizes the network's input once.
    """

    crop = CROP

    def __init__(self, card: DetectorCard, interpreter: Interpreter, settings: DetectSettings) -> None:
        self.card = card
        self.interpreter = interpreter
        self.name = card.name
        self._width = settings.width
        self._least_logit = logit(settings.score) - card.score_offset
        self._pixels = pixel_table(interpreter.input, card.input.mean, card.input.std)
        self._frame_size = (0, 0)
        self._size = (0, 0)
        self._input: NDArray[Any] = np.empty(0, interpreter.input.dtype)

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """All faces in (h, w, 3) uint8 BGR, in its pixels, highest score first."""
        height, width = image.shape[:2]
        if (width, height) != self._frame_size:
            self._set_frame_size(width, height)
        columns, rows = self._size
        self._input[0, :rows, :columns] = cv2.LUT(reduced(image, self._size), self._pixels)
        cells = dequantize(self.interpreter.invoke(self._input)[0], self.interpreter.output)
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

    def _set_frame_size(self, width: int, height: int) -> None:
        """Adapt the network's input to frames of this size."""
        self._frame_size = (width, height)
        self._size = reduced_size(width, height, self._width)
        shape = (1, *(-(-side // MULTIPLE_PX) * MULTIPLE_PX for side in reversed(self._size)), 3)
        if shape != self.interpreter.input.shape:
            self.interpreter.resize(shape)
        self._input = np.full(shape, self._pixels[round(self.card.input.mean)], self.interpreter.input.dtype)


def load_detector(settings: DetectSettings) -> TfliteDetector:
    """Load the network `detect.model` or the bundled one; ModelError, one line, if it does not match its card.

    The file is checked before the runtime parses it, as in `load_classifier`.
    """
    path = user_path(settings.model) if settings.model else SHIPPED
    content = read_model(path, "detect.model")
    card = load_detector_card(path)
    verify_file(card, content, path)
    try_model(content, str(path), "detector")
    interpreter = Interpreter(content, str(path))
    verify_detector(interpreter, path)
    return TfliteDetector(card, interpreter, settings)


def logit(score: float) -> float:
    """Inverse of the sigmoid; 0 and 1 are clipped."""
    inside = min(max(score, LEAST_SCORE), MOST_SCORE)
    return float(np.log(inside / (1 - inside)))
