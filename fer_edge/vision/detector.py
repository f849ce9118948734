"""Face detector: the protocol, and the factory for `detect.backend`."""

from typing import Protocol

import cv2

from fer_edge.config.model import DetectSettings
from fer_edge.types import Detection, Image
from fer_edge.vision.haar import HaarDetector
from fer_edge.vision.preprocess import Crop
from fer_edge.vision.tflite_detector import load_detector
from fer_edge.vision.yunet import YuNetDetector


class Detector(Protocol):
    """Face detector. Not thread-safe; the main thread owns it."""

    @property
    def name(self) -> str:
        """Name in `info`."""

    @property
    def crop(self) -> Crop:
        """Position of the classifier's square crop relative to this detector's boxes."""

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """All faces in (h, w, 3) uint8 BGR, in pixels of that image, in any order; its size may change."""


def make_detector(settings: DetectSettings) -> Detector:
    """Build the detector `detect.backend`; ModelError with one line if it is not available.

    Limits OpenCV to one thread in the whole process: on frames this small a second one costs CPU time and hardly
    reduces latency (docs/vision.md), and other programs need the cores.
    """
    cv2.setNumThreads(1)
    if settings.backend == "yunet":
        return YuNetDetector(settings)
    if settings.backend == "own":
        return load_detector(settings)
    return HaarDetector(settings)
