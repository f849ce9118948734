"""The two decoders of video, OpenCV's and PyAV's, behind one protocol: frames with square pixels and media times.

OpenCV's is preferred: its conversion to BGR takes a third of the time. From 4.13 on it does not decode interlaced video
and reports no error: it returns the same memory each time (vllm PR 47853). So if a decoder's first frames are all
bit-identical, PyAV (extra `video`) decodes instead.
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
from fer_edge.capture.supervisor import identical
from fer_edge.types import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Identical frames at the beginning after which PyAV takes over. A scene that really is still, such as a title, loses
# nothing by it.
IDENTICAL_FRAMES = 8
INTERLACED_CURE = (
    "OpenCV does not decode interlaced video: pip install 'fer-edge[video]', or set the camera to progressive"
)
QUARTER_TURN = 90  # degrees
# Pixel aspect ratios of television and cameras lie between 8:9 and 2:1; others are errors in the file.
LEAST_ASPECT, MOST_ASPECT = 0.25, 4.0

logger = logging.getLogger(__name__)


class Decoder(Protocol):
    """Sequence of decoded frames. Owned by the thread that reads it."""

    @property
    def position_s(self) -> float:
        """Media time in seconds of the last frame, as in the container; 0 if it has none."""

    def read(self) -> NDArray[Any] | None:
        """The next frame, with square pixels, rotated as the file states; None at the end."""

    def close(self) -> None:
        """Close the file or connection; a second call does nothing."""


class OpenCvDecoder:
    """An open capture of OpenCV."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture

    @property
    def position_s(self) -> float:
        """Media time as reported by OpenCV."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0

    def read(self) -> NDArray[Any] | None:
        """The next frame."""
        ok, image = self._capture.read()
        return square(image, pixel_aspect(self._capture)) if ok else None

    def close(self) -> None:
        """Release the capture."""
        self._capture.release()


class PyAvDecoder:
    """A file or stream decoded by PyAV. Damaged packets are skipped, as OpenCV does.

    ``options`` are FFmpeg's, ``limits_s`` the timeouts of open and read in seconds.

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
            raise OSError("PyAV cannot open it") from error  # FFmpeg's message may contain the address with a password
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
        """The next frame."""
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
        image = square(frame.to_ndarray(format="bgr24"), aspect)
        clockwise = -getattr(frame, "rotation", 0) % 360  # counterclockwise in FFmpeg's display matrix
        return np.asarray(cv2.rotate(image, CLOCKWISE[clockwise])) if clockwise in CLOCKWISE else image

    def close(self) -> None:
        """Close the container."""
        self._container.close()


class IdenticalFrameCounter:
    """Counter of identical frames at the beginning of a source."""

    def __init__(self) -> None:
        self._first: Image | None = None
        self._count = 0
        self.decided = False  # two frames have differed

    def count(self, image: NDArray[Any]) -> int:
        """Record the next frame; return the number of frames so far if all are identical, 0 once two have differed."""
        if self.decided:
            return 0
        if self._first is None:
            self._first = image
        self.decided = not identical(self._first, image)
        if self.decided:
            self._first = None
        self._count = 0 if self.decided else self._count + 1
        return self._count


def begins_identical(decoder: Decoder) -> bool:
    """Return whether the first frames of ``decoder`` are all identical; reads up to IDENTICAL_FRAMES of them."""
    counter, count = IdenticalFrameCounter(), 0
    for _ in range(IDENTICAL_FRAMES):
        image = decoder.read()
        if image is None:
            return count > 1
        count = counter.count(image)
        if not count:
            return False
    return True


def open_pyav(path: Path) -> PyAvDecoder | None:
    """PyAV's decoder of a file; None if it is not installed or cannot open the file."""
    try:
        return PyAvDecoder(str(path.absolute()))
    except (ImportError, OSError) as error:
        logger.debug("PyAV cannot decode: %s", error)
        return None


def pixel_aspect(capture: cv2.VideoCapture) -> float:
    """Pixel aspect ratio, width over height, of the frames of ``capture``; 1 if unknown."""
    across, down = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0:
        return 1.0
    # The ratio is that of the stored image, before OpenCV rotates it.
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % (2 * QUARTER_TURN) == QUARTER_TURN
    return down / across if turned else across / down


def frame_aspect(ratio: Any) -> float:
    """Pixel aspect ratio of PyAV's fraction, which is None or 0 if unknown."""
    return float(ratio) if ratio else 1.0


def square(image: NDArray[Any], aspect: float) -> NDArray[Any]:
    """``image`` with square pixels: stretched along their longer side, so that no detail is lost."""
    if not LEAST_ASPECT <= aspect <= MOST_ASPECT:
        return image
    height, width = image.shape[:2]
    wide, high = round(width * max(1.0, aspect)), round(height * max(1.0, 1.0 / aspect))
    if (wide, high) == (width, height) or wide * high > MAX_PIXELS:
        return image
    return np.asarray(cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA))
