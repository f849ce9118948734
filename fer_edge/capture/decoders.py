"""The two decoders of video, OpenCV's and PyAV's, behind one protocol: pictures of square pixels with their times.

OpenCV's is used wherever it works: it needs a third of the time for the conversion to BGR. From 4.13 on it gives no
picture of interlaced video and no error: the same memory comes again and again (vllm PR 47853). A decoder whose first
pictures are all the same to the last bit is therefore not believed; PyAV (extra `video`) then decodes instead.
"""

import logging
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge import MAX_PIXELS
from fer_edge.capture.opencv import CLOCKWISE
from fer_edge.capture.supervisor import same
from fer_edge.types import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# So many pictures at the beginning, all the same, and the decoder is doubted. What is still in truth, such as a title,
# loses nothing by PyAV.
ALIKE = 8
INTERLACED_CURE = (
    "OpenCV gives nothing else of interlaced video: pip install 'fer-edge[video]', or set the camera to progressive"
)
QUARTER_TURN = 90  # degrees
# Pixel aspect ratios that television and cameras have lie between 8:9 and 2:1; others are a mistake of the file.
LEAST_ASPECT, MOST_ASPECT = 0.25, 4.0

logger = logging.getLogger(__name__)


class Decoder(Protocol):
    """Pictures one after the other. Owned by the thread that reads it."""

    @property
    def position_s(self) -> float:
        """Media time in seconds of the picture that was read last, as the container has it; 0 where it has none."""

    def read(self) -> NDArray[Any] | None:
        """The next picture as decoded, with square pixels, turned as the file asks; None at the end."""

    def close(self) -> None:
        """Close the file or connection; a second call does nothing."""


class OpenCvDecoder:
    """An open capture of OpenCV."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture

    @property
    def position_s(self) -> float:
        """As OpenCV states it."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0

    def read(self) -> NDArray[Any] | None:
        """The next picture."""
        taken, picture = self._capture.read()
        return square(picture, pixel_aspect(self._capture)) if taken else None

    def close(self) -> None:
        """Release the capture."""
        self._capture.release()


class PyAvDecoder:
    """A file or stream by PyAV. Damaged packets are passed over, as OpenCV does.

    ``options`` are FFmpeg's, ``limits_s`` the longest opening and read in seconds.

    Raises:
        ImportError: PyAV is not installed.
        OSError: it cannot be opened, or has no video.
    """

    def __init__(
        self, name: str, options: Mapping[str, str] | None = None, limits_s: tuple[float, float] | None = None
    ) -> None:
        import av  # noqa: PLC0415  the extra; 17 MiB that few need

        av.logging.set_level(av.logging.PANIC)
        self._errors = av.error.FFmpegError
        try:
            self._container = av.open(name, options=dict(options or {}), timeout=limits_s)
        except (av.error.FFmpegError, ValueError) as error:
            raise OSError("PyAV cannot open it") from error  # its own words may hold the address with a password
        if not self._container.streams.video:
            self._container.close()
            raise OSError("PyAV finds no video in it")
        stream = self._container.streams.video[0]
        stream.codec_context.thread_count = 1
        self.format = stream.codec_context.name
        self._packets = self._container.demux(stream)
        self._decoded: deque[VideoFrame] = deque()
        self._begin_s: float | None = None
        self.position_s = 0.0

    def read(self) -> NDArray[Any] | None:
        """The next picture."""
        while not self._decoded:
            try:
                packet = next(self._packets)
            except (StopIteration, self._errors):
                return None
            try:
                self._decoded.extend(frame for frame in packet.decode() if frame.width * frame.height <= MAX_PIXELS)
            except self._errors:  # a damaged packet
                continue
        frame = self._decoded.popleft()
        if frame.time is not None:
            self._begin_s = frame.time if self._begin_s is None else self._begin_s
            self.position_s = frame.time - self._begin_s
        aspect = frame_aspect(self._container.streams.video[0].sample_aspect_ratio)
        picture = square(frame.to_ndarray(format="bgr24"), aspect)
        clockwise = -getattr(frame, "rotation", 0) % 360  # counterclockwise in FFmpeg's display matrix
        return np.asarray(cv2.rotate(picture, CLOCKWISE[clockwise])) if clockwise in CLOCKWISE else picture

    def close(self) -> None:
        """Close the container."""
        self._container.close()


class Alike:
    """Follows the first pictures of a decoder until two differ."""

    def __init__(self) -> None:
        self._first: Image | None = None
        self._count = 0
        self.decided = False  # two have differed

    def count(self, picture: NDArray[Any]) -> int:
        """Take the next picture; the number of pictures up to it that were all the same, 0 once two have differed."""
        if self.decided:
            return 0
        if self._first is None:
            self._first = picture
        self.decided = not same(self._first, picture)
        if self.decided:
            self._first = None
        self._count = 0 if self.decided else self._count + 1
        return self._count


def is_doubtful(decoder: Decoder) -> bool:
    """Whether the next ALIKE pictures of ``decoder`` are all the same, or all that there are; reads up to so many."""
    alike, count = Alike(), 0
    for _ in range(ALIKE):
        picture = decoder.read()
        if picture is None:
            return count > 1
        count = alike.count(picture)
        if not count:
            return False
    return True


def second_decoder(path: Path) -> PyAvDecoder | None:
    """PyAV's decoder of a file; None where it is not installed or cannot open it."""
    try:
        return PyAvDecoder(str(path.absolute()))
    except (ImportError, OSError) as error:
        logger.debug("no second decoder: %s", error)
        return None


def pixel_aspect(capture: cv2.VideoCapture) -> float:
    """Width of a pixel over its height in the pictures that ``capture`` gives; 1 where it does not say."""
    across, down = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0:
        return 1.0
    # The ratio is that of the stored picture, which OpenCV has turned already.
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % (2 * QUARTER_TURN) == QUARTER_TURN
    return down / across if turned else across / down


def frame_aspect(ratio: Any) -> float:
    """The same of PyAV's fraction, which is None or 0 where it is not known."""
    return float(ratio) if ratio else 1.0


def square(picture: NDArray[Any], aspect: float) -> NDArray[Any]:
    """``picture`` with square pixels: stretched along their longer side, so that nothing of it is lost."""
    if not LEAST_ASPECT <= aspect <= MOST_ASPECT:
        return picture
    height, width = picture.shape[:2]
    wide, high = round(width * max(1.0, aspect)), round(height * max(1.0, 1.0 / aspect))
    if (wide, high) == (width, height) or wide * high > MAX_PIXELS:
        return picture
    return np.asarray(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA))
