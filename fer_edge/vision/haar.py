"""Haar cascade detector bundled with OpenCV 4 (Viola and Jones 2001): frontal faces only."""

from pathlib import Path
from typing import Any

import cv2

from fer_edge.config.model import DetectSettings
from fer_edge.errors import ModelError
from fer_edge.types import Box, Detection, Image
from fer_edge.vision.preprocess import Crop, reduced, reduced_size

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_FACTOR = 1.3  # ratio of successive window sizes; 1.1 costs 1.5 times as much and has more false positives
MIN_NEIGHBOURS = 5  # overlapping hits required for a detection
LEAST_SIDE_PX = 24  # window size of the cascade's training
SMALLEST = 1 / 12  # smallest face, as a fraction of the reduced width
CERTAIN = 1.0  # a cascade has no score

# benchmarks/crop_margin.py --model NET --photos press --detector haar; docs/vision.md
CROP = Crop(scale=1.2, dy=0.03)


class HaarDetector:
    """OpenCV's cascade on a reduced grey frame. Not thread-safe; the main thread owns it."""

    name = "haar"
    crop = CROP

    def __init__(self, settings: DetectSettings) -> None:
        self._width = settings.width
        self._cascade = _load_cascade()

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """All frontal faces in (h, w, 3) uint8 BGR, in its pixels; their score is always 1."""
        height, width = image.shape[:2]
        size = reduced_size(width, height, self._width)
        grey = cv2.cvtColor(reduced(image, size), cv2.COLOR_BGR2GRAY)
        least = max(LEAST_SIDE_PX, round(size[0] * SMALLEST))
        boxes = self._cascade.detectMultiScale(
            grey, scaleFactor=SCALE_FACTOR, minNeighbors=MIN_NEIGHBOURS, minSize=(least, least)
        )
        sx, sy = width / size[0], height / size[1]
        return tuple(Detection(Box(*map(float, box)).scaled(sx, sy), CERTAIN) for box in boxes)


def _load_cascade() -> Any:
    """Load the cascade of the installed OpenCV; ModelError if it has none (OpenCV 5 lacks even the class)."""
    cure = "install `opencv-python-headless<5`, or set detect.backend to own"
    if not hasattr(cv2, "CascadeClassifier"):
        raise ModelError(f"OpenCV {cv2.__version__} has no Haar cascades: {cure}")
    folder: str = getattr(getattr(cv2, "data", None), "haarcascades", "")  # some distributions move them
    path = Path(folder) / CASCADE
    if not path.is_file():
        raise ModelError(f"OpenCV {cv2.__version__} is installed without {CASCADE}: {cure}")
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise ModelError(f"{path}: not a cascade that OpenCV {cv2.__version__} reads: {cure}")
    return cascade
