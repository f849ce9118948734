"""Image folder or single image as a source, in natural sort order."""

import logging
import re
import zlib
from pathlib import Path

import cv2
import numpy as np

import fer_edge.capture.opencv  # noqa: F401 - silences OpenCV's log
from fer_edge import MAX_PIXELS
from fer_edge.capture.opencv import upright
from fer_edge.capture.uri import IMAGE_SUFFIXES
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource, os_reason
from fer_edge.files import printable_path, user_path
from fer_edge.types import Image
from fer_edge.untrusted import read_regular

MAX_BYTES = 128 << 20  # of one image: uncompressed, MAX_PIXELS of 8 bits take 100 MB
MOST_NAMED = 20  # unreadable images that are logged by name
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_END = b"IEND"
BROKEN = "not a readable image"
LIMIT_NAME = "MAX_IMAGE_PIXELS"  # in OpenCV's message
TOO_LARGE = f"more pixels than are decoded (the limit is {MAX_PIXELS}, or OPENCV_IO_MAX_IMAGE_PIXELS)"

logger = logging.getLogger(__name__)


class ImageFolder:
    """Image sequence at `rate_hz`. Owned by the thread that reads it.

    An image that is broken, larger than MAX_BYTES or MAX_PIXELS, or no regular file is logged once and skipped, without
    media time. Exif orientation is applied.
    """

    live = False

    def __init__(self, settings: CameraSettings) -> None:
        """Find the images and read the first; raises UnusableSource with the reason."""
        place = user_path(str(settings.source))
        self._paths = _images(place)
        self._rotate = settings.rotate
        self._loop = settings.loop
        self._next = 0
        self._count = 0
        self._broken: set[Path] = set()
        self.rate_hz: float | None = settings.rate_hz
        self.format = f"{len(self._paths)} images"
        self.position_s = 0.0
        self._first = self._take()
        if self._first is None:
            raise UnusableSource(f"{printable_path(place)}: no readable image among {len(self._paths)}")

    def read(self) -> Image | None:
        """The next readable image; None at the end, unless the folder loops."""
        image, self._first = self._first, None
        if image is None:
            image = self._take()
        if image is None and self._loop:
            self._next = 0
            image = self._take()
        if image is not None:
            self.position_s = self._count / (self.rate_hz or 1.0)
            self._count += 1
        return image

    def close(self) -> None:
        """Nothing is kept open."""

    def _take(self) -> Image | None:
        """The next readable image of this pass."""
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            try:
                return upright(read_image(path), self._rotate)
            except UnreadableImage as error:
                self._log_unreadable(path, error)
        return None

    def _log_unreadable(self, path: Path, error: "UnreadableImage") -> None:
        """Log an unreadable image once; a folder full of them does not fill the log."""
        if path in self._broken:
            return
        self._broken.add(path)
        if len(self._broken) <= MOST_NAMED:
            logger.warning("%s: %s; skipped", printable_path(path), error)
        elif len(self._broken) == MOST_NAMED + 1:
            logger.warning("more than %d images cannot be read; further ones are skipped silently", MOST_NAMED)


class UnreadableImage(Exception):  # noqa: N818 - named after the state of the image
    """An image cannot be read; the message is the reason without the file name."""


def read_image(path: Path) -> Image:
    """The image in a file as (h, w, 3) uint8 BGR.

    Damaged PNG files are rejected without output. libjpeg decodes a damaged but complete JPEG and writes a warning to
    stderr: capturing file descriptor 2 for each image would lock every log handler.

    Raises:
        UnreadableImage: it is broken, too large, or not a regular file.
    """
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UnreadableImage(os_reason(error)) from error
    if not data or (data.startswith(PNG_START) and not _is_whole_png(data)):
        raise UnreadableImage(BROKEN)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # too many pixels; most broken images return None instead
        raise UnreadableImage(TOO_LARGE if LIMIT_NAME in str(error) else BROKEN) from error
    if image is None:
        raise UnreadableImage(BROKEN)
    return np.asarray(image, np.uint8)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Natural sort key: 9.jpg before 10.jpg, case-insensitive."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name.casefold())
    return tuple((0, int(digits), "") if digits else (1, 0, text) for digits, text in parts)


def _images(place: Path) -> list[Path]:
    """The images in folder ``place`` without hidden files, or ``place`` itself if it is a file."""
    try:
        if not place.is_dir():
            place.stat()  # raises if it does not exist
            return [place]
        found = [p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    except FileNotFoundError:
        raise UnusableSource(f"{printable_path(place)}: no such file or folder") from None
    except OSError as error:
        raise UnusableSource(f"{printable_path(place)}: cannot be read: {os_reason(error)}") from error
    if not found:
        raise UnusableSource(f"{printable_path(place)}: no images in this folder ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(found, key=lambda path: natural_key(path.name))


def _is_whole_png(data: bytes) -> bool:
    """Return whether every chunk is present with its checksum; libpng would print to stderr otherwise."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return False
        if data[at + 4 : at + 8] == PNG_END:
            return True
        at = end
    return False
