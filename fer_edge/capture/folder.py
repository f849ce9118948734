"""A folder of images, or one image, in the order in which people number them."""

import logging
import re
import zlib
from pathlib import Path

import cv2
import numpy as np

import fer_edge.capture.opencv  # noqa: F401 - keeps OpenCV quiet
from fer_edge.capture.address import IMAGE_SUFFIXES
from fer_edge.capture.upright import upright
from fer_edge.config import CameraSettings
from fer_edge.errors import UnusableSource
from fer_edge.user_path import user_path
from fer_edge.values import Image

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_END = b"IEND"

logger = logging.getLogger(__name__)


class ImageFolder:
    """Images at the pace of `rate_hz`. Owned by the thread that reads it.

    A broken image is named once in the log and skipped; it takes no time. Exif orientation is applied.
    """

    live = False

    def __init__(self, settings: CameraSettings) -> None:
        """Find the images and read the first; raises UnusableSource with the reason."""
        place = user_path(str(settings.source))
        self._paths = _images(place)
        self._rotate = settings.rotate
        self._loop = settings.loop
        self._next = 0
        self._given = 0
        self._broken: set[Path] = set()
        self.rate_hz: float | None = settings.rate_hz
        self.format = f"{len(self._paths)} images"
        self.position_s = 0.0
        self._first = self._take()
        if self._first is None:
            raise UnusableSource(f"{place}: no image that can be read, of {len(self._paths)} tried")

    def read(self) -> Image | None:
        """The next image that can be read; None at the end, never where the folder loops."""
        image, self._first = self._first, None
        if image is None:
            image = self._take()
        if image is None and self._loop:
            self._next = 0
            image = self._take()
        if image is not None:
            self.position_s = self._given / (self.rate_hz or 1.0)
            self._given += 1
        return image

    def close(self) -> None:
        """Nothing is kept open."""

    def _take(self) -> Image | None:
        """The next image of this round that can be read."""
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            image = read_image(path)
            if image is not None:
                return upright(image, self._rotate)
            if path not in self._broken:
                self._broken.add(path)
                logger.warning("%s: not an image that can be read; skipped", path)
        return None


def read_image(path: Path) -> Image | None:
    """The image in a file as (h, w, 3) uint8 BGR, None where it cannot be read. Writes nothing to stderr."""
    try:
        data = path.read_bytes()
        if not data or (data.startswith(PNG_START) and not _is_whole_png(data)):
            return None
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which 9.jpg comes before 10.jpg; upper and lower case alike."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name.casefold())
    return tuple((0, int(digits), "") if digits else (1, 0, text) for digits, text in parts)


def _images(place: Path) -> list[Path]:
    """The images in ``place``, or that one; hidden files and other kinds are left out."""
    try:
        if place.is_file():
            return [place]
        found = [p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    except FileNotFoundError:
        raise UnusableSource(f"{place}: no such file or folder") from None
    except OSError as error:
        raise UnusableSource(f"{place}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not found:
        raise UnusableSource(f"{place}: no images in this folder ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(found, key=lambda path: natural_key(path.name))


def _is_whole_png(data: bytes) -> bool:
    """Whether every chunk is there and has its checksum: libpng complains of anything else on stderr, unasked."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return False
        if data[at + 4 : at + 8] == PNG_END:
            return True
        at = end
    return False
