"""A camera behind Video4Linux: USB webcams, capture sticks."""

import cv2

from fer_edge.capture.device import is_another_kind, why_not
from fer_edge.capture.opencv import format_name, open_v4l2
from fer_edge.capture.upright import upright
from fer_edge.capture.uri import device_path
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.types import Image

# Uncompressed YUYV is cheapest to read as long as USB 2 carries it: an isochronous endpoint moves at most three
# packets of 1024 bytes in each of 8000 microframes a second (USB 2.0, 5.6.3), and cameras leave a fifth of it free.
YUYV_BYTES_PER_PX = 2
USB2_BYTES_PER_S = 0.8 * 3 * 1024 * 8000

# With a single buffer the driver has nowhere to put the next frame while this one is decoded, and every other frame
# is lost. With two nothing gets old, because the capture thread always reads on.
BUFFERS = 2

READ_PART = 0.75  # of stall_s, so that a silent camera has been given up before it counts as stalled


class V4l2Camera:
    """A V4L2 device. Owned by the thread that reads it."""

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        """Open the device and ask for size, rate and format; raises SourceError with the reason and what to do."""
        path = device_path(settings.source)
        if is_another_kind(path):
            raise SourceError(why_not(path))
        self._rotate = settings.rotate
        self._capture = open_v4l2(path, max(1, int(READ_PART * settings.stall_s)))
        if not self._capture.isOpened():
            raise SourceError(why_not(path))
        self._ask(settings)
        self.rate_hz: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next picture; None where the camera is gone or gave nothing within the time limit."""
        taken, picture = self._capture.read()
        return upright(picture, self._rotate) if taken else None

    def close(self) -> None:
        self._capture.release()

    def _ask(self, settings: CameraSettings) -> None:
        """Ask for what is set; a camera that has no such mode keeps its nearest, which is not an error."""
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERS)
        if wants_mjpg(settings.width, settings.height, settings.rate_hz):
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        self._capture.set(cv2.CAP_PROP_FPS, settings.rate_hz)


def wants_mjpg(width: int, height: int, rate_hz: float) -> bool:
    """Whether uncompressed frames of this size and rate are more than USB 2 carries."""
    return width * height * YUYV_BYTES_PER_PX * rate_hz > USB2_BYTES_PER_S
