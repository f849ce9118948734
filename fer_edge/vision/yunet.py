"""YuNet detector (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector"), run by OpenCV."""

from typing import Any

import cv2
import numpy as np

from fer_edge.config.model import DetectSettings
from fer_edge.errors import ModelError
from fer_edge.files import user_path
from fer_edge.types import Box, Detection, Image
from fer_edge.vision.interpreter import logged_native_stderr, read_model
from fer_edge.vision.model_trial import try_model
from fer_edge.vision.preprocess import Crop, reduced, reduced_size

NMS_IOU = 0.3  # of two boxes with a higher IoU, the one with the lower score is dropped
MOST_FACES = 50  # boxes kept before NMS; more faces are too small for the classifier
FIRST_SIZE = (160, 96)  # any size, for the blank image of the trial run

# benchmarks/crop_margin.py --model NET --photos press --detector yunet_s_320_320.onnx --width 160; docs/vision.md
CROP = Crop(scale=1.1, dy=-0.05)


class YuNetDetector:
    """cv2.FaceDetectorYN on a reduced frame, OpenCV 4 and 5. Not thread-safe; the main thread owns it.

    The frame keeps its aspect ratio; OpenCV pads it to multiples of 32, so widths of 160 and 320 waste the least.
    Raises ModelError if the file is not a YuNet that the installed OpenCV runs.
    """

    crop = CROP

    def __init__(self, settings: DetectSettings) -> None:
        path = user_path(settings.model)
        self.name = path.stem
        self._width = settings.width
        content = read_model(path, "detect.model")
        try_model(content, str(path), "yunet")
        self._network = load_network(content, str(path), settings.score)
        self._set_frame_size(*FIRST_SIZE)

    def detect(self, image: Image) -> tuple[Detection, ...]:
        """All faces in (h, w, 3) uint8 BGR, in its pixels, with score and five landmarks."""
        height, width = image.shape[:2]
        if (width, height) != self._frame_size:
            self._set_frame_size(width, height)
        found = self._network.detect(reduced(image, self._size))[1]
        if found is None:
            return ()
        sx, sy = width / self._size[0], height / self._size[1]
        return tuple([_detection(row, sx, sy) for row in found.tolist()])

    def _set_frame_size(self, width: int, height: int) -> None:
        """From now on frames are of this size."""
        self._frame_size = (width, height)
        self._size = reduced_size(width, height, self._width)
        self._network.setInputSize(self._size)


def _detection(row: list[float], sx: float, sy: float) -> Detection:
    """One row of FaceDetectorYN: left, top, width, height, x and y of five landmarks, score; in the reduced frame.

    Written out because it runs with cold caches after the network: a loop over the points takes twice as long.
    """
    x, y, w, h, ax, ay, bx, by, cx, cy, dx, dy, ex, ey, score = row
    landmarks = ((ax * sx, ay * sy), (bx * sx, by * sy), (cx * sx, cy * sy), (dx * sx, dy * sy), (ex * sx, ey * sy))
    return Detection(Box(x * sx, y * sy, w * sx, h * sy), score, landmarks)


def load_network(content: bytes, name: str, score: float) -> Any:
    """Load the network and run it on a black image, so that another network's file fails here."""
    try:
        with logged_native_stderr("OpenCV"):
            network = cv2.FaceDetectorYN.create(
                "onnx", np.frombuffer(content, np.uint8), np.empty(0, np.uint8), FIRST_SIZE, score, NMS_IOU, MOST_FACES
            )
            network.detect(np.zeros((FIRST_SIZE[1], FIRST_SIZE[0], 3), np.uint8))
    except cv2.error as error:
        raise ModelError(
            f"{name}: is not a YuNet model that OpenCV {cv2.__version__} runs: copy it again, or set detect.model to"
            " another (files of a fixed input size work in OpenCV 4 and 5, others need 5)"
        ) from error
    return network
