"""Where a face is: one interface, the backends behind it, and the choice between them."""

from typing import Protocol

import cv2

from fer_edge.config.model import DetectSettings
from fer_edge.types import Detection, Image
from fer_edge.vision.haar import HaarDetector
from fer_edge.vision.preprocess import Crop
from fer_edge.vision.tflite_detector import load_detector
from fer_edge.vision.yunet import YuNetDetector


class Detector(Protocol):
    """Finds faces. Not thread-safe; the main thread owns it."""

    @property
    def name(self) -> str:
        """What it is called in `info`."""

    @property
    def crop(self) -> Crop:
        """How the square that the network reads lies on this detector's boxes."""

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """All faces in (h, w, 3) uint8 BGR, in pixels of that image, in any order; images may change their size."""


def make_detector(settings: DetectSettings) -> Detector:
    """The detector that the settings name; ModelError with one line where it cannot be had.

    Takes OpenCV down to one thread, for the whole process: on pictures this small a second one adds CPU time and
    hardly saves any (docs/vision.md), and the cores belong to others too.
    """
    cv2.setNumThreads(1)
    if settings.backend == "yunet":
        return YuNetDetector(settings)
    if settings.backend == "own":
        return load_detector(settings)
    return HaarDetector(settings)
