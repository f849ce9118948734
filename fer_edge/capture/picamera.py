"""Raspberry Pi camera module, through picamera2 and libcamera."""

import logging
import os
from typing import Any

import numpy as np

from fer_edge.capture.opencv import upright
from fer_edge.config.model import CameraSettings, picamera_number
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.types import Image

# libcamera names formats by bit order in a word, so its RGB888 is blue, green, red in memory.
BGR_IN_MEMORY = "RGB888"
READ_PART = 0.75  # of stall_s, so that a read times out before the camera counts as stalled
MISSING = (
    "camera.source picamera needs the Python package picamera2: sudo apt install python3-picamera2, "
    "and make the virtual environment with --system-site-packages"
)
# Debian 12 (bookworm) builds picamera2's extensions for NumPy 1; OpenCV requires NumPy 2 from 4.12 on.
OTHER_NUMPY = (
    "picamera2 was built for NumPy 1 and cannot be imported with NumPy {version}: "
    "pip install 'numpy<2' 'opencv-python-headless<4.12' in this virtual environment ({error})"
)
BROKEN = "picamera2 cannot be imported: repair it with sudo apt install --reinstall python3-picamera2 ({error})"

logger = logging.getLogger(__name__)


class PiCamera:
    """Camera module as a source. Owned by the thread that reads it."""

    live = True
    format = "BGR"

    def __init__(self, settings: CameraSettings) -> None:
        """Open and start the camera; raises UnusableSource without picamera2, SourceError without a camera."""
        library = _import_picamera2()
        number = picamera_number(str(settings.source).strip()) or 0
        self._name = f"picamera:{number}" if number else "picamera"
        self._rotate = settings.rotate
        self._limit_s = READ_PART * settings.stall_s
        self.rate_hz: float | None = settings.rate_hz
        self._camera: Any = None
        try:
            self._camera = library.Picamera2(camera_num=number)
            main = {"size": (settings.width, settings.height), "format": BGR_IN_MEMORY}
            controls = {"FrameRate": settings.rate_hz}
            self._camera.configure(self._camera.create_video_configuration(main=main, controls=controls))
            self._camera.start()
        except (RuntimeError, IndexError, OSError, ValueError) as error:
            self.close()
            raise SourceError(
                f"{self._name}: no camera, or in use by another program: check its cable and rpicam-hello ({error})"
            ) from error

    def read(self) -> Image | None:
        """The next frame; None after a timeout."""
        try:
            job = self._camera.capture_array("main", wait=False)
            return upright(self._camera.wait(job, timeout=self._limit_s), self._rotate)
        except TimeoutError:
            return None
        except (RuntimeError, OSError) as error:
            raise SourceError(f"{self._name}: the camera stopped: check its cable ({error})") from error

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is None:
            return
        try:
            camera.close()
        except (RuntimeError, OSError) as error:  # nothing can be done about it
            logger.debug("%s: closing failed: %s", self._name, error)


def _import_picamera2() -> Any:
    """Import picamera2 late: it is missing on other devices, and takes a second to import."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:FATAL")  # it logs to stderr at each open
    try:
        import picamera2  # noqa: PLC0415
    except Exception as error:  # the import of a foreign package may raise anything
        raise UnusableSource(_import_failure(error)) from error
    return picamera2


def _import_failure(error: Exception) -> str:
    """Describe a failed import of picamera2 and how to fix it."""
    if isinstance(error, ModuleNotFoundError) and error.name == "picamera2":
        return MISSING
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if "numpy" in text.lower() and not np.__version__.startswith("1."):
        return OTHER_NUMPY.format(version=np.__version__, error=text)
    return BROKEN.format(error=text)
