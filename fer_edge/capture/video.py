"""A video file, picture after picture, with the time at which each was taken."""

import logging
from pathlib import Path

import cv2

from fer_edge.capture.decoders import (
    ALIKE,
    INTERLACED_CURE,
    Alike,
    Decoder,
    OpenCvDecoder,
    is_doubtful,
    second_decoder,
)
from fer_edge.capture.opencv import format_name, open_ffmpeg, size_flaw, upright
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource
from fer_edge.files import printable_path, user_path
from fer_edge.types import Image
from fer_edge.untrusted import open_regular

logger = logging.getLogger(__name__)

BEHIND_S = 0.5  # lateness that is not made up for: a burst of old frames helps nobody
FALLBACK_RATE_HZ = 25.0  # for files without timestamps and without a rate of their own
TEXT_FORMATS = ("ansi",)  # FFmpeg shows a text file as a film of a terminal


class PlaybackClock:
    """When each picture of a recording is due. Not thread-safe; the capture thread owns it."""

    def __init__(self) -> None:
        self._start: float | None = None  # monotonic seconds at which media time was 0

    def wait_s(self, position_s: float, now: float) -> float:
        """The seconds to wait at ``now`` before the picture of media time ``position_s`` is due; 0 where it is late."""
        if self._start is None or now - (self._start + position_s) > BEHIND_S:
            self._start = now - position_s
        return max(0.0, self._start + position_s - now)


class VideoFile:
    """A video file. Owned by the thread that reads it.

    Rotation that the file itself asks for (telephones) is applied by the decoder; `rotate` comes on top of it. OpenCV
    decodes, or PyAV where the pictures of OpenCV do not change.
    """

    live = False

    def __init__(self, settings: CameraSettings) -> None:
        """Open the file and read its first picture; raises UnusableSource with the reason."""
        self._path = user_path(str(settings.source))
        self._rotate = settings.rotate
        self._loop = settings.loop
        capture = _open(self._path)
        self.rate_hz: float | None = capture.get(cv2.CAP_PROP_FPS) or None
        self.format = format_name(capture)
        # What the file says of itself; some containers count the pictures, others make it up from length and rate.
        self.stated_frames: int | None = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) or None
        self._by_pyav = _is_for_pyav(capture, self._path)
        self._alike = Alike()
        self._alike_count = 0
        self._decoder = self._begin()
        self.position_s = 0.0
        self._frame_s = 1.0 / (self.rate_hz or FALLBACK_RATE_HZ)
        self._round_s = 0.0  # media time at which this round of a looping file began
        self._begins = True
        self._said = False
        self._first = self._take()
        if self._first is None:
            raise UnusableSource(
                f"{printable_path(self._path)}: holds no picture that can be read: is it whole, is it a video?"
            )

    def read(self) -> Image | None:
        """The next picture; None at the end, never where the file loops.

        Raises:
            UnusableSource: at its end, where all pictures were the same and no PyAV is there to confirm it.
        """
        image, self._first = self._first, None
        if image is None:
            image = self._take()
        if image is None:
            self._judge()
        if image is None and self._loop:
            image = self._again()
        return image

    def close(self) -> None:
        self._decoder.close()

    def _begin(self) -> Decoder:
        """A decoder at the file's beginning."""
        by_pyav = second_decoder(self._path) if self._by_pyav else None
        return by_pyav or OpenCvDecoder(_open(self._path))

    def _judge(self) -> None:
        """At the end of a round: whether there was anything to see. A loop goes on, it may well be a still picture."""
        if self._by_pyav or self._alike_count < ALIKE:
            return
        line = f"{printable_path(self._path)}: all of its pictures are the very same; {INTERLACED_CURE}"
        if not self._loop:
            raise UnusableSource(line)
        self._alike, self._alike_count = Alike(), 0
        if not self._said:
            logger.warning("%s", line)
        self._said = True

    def _take(self) -> Image | None:
        """The next picture of this round, its time noted."""
        picture = self._decoder.read()
        if picture is None:
            return None
        self._alike_count = self._alike.count(picture)
        if self._begins:  # the first picture is at the beginning, whatever OpenCV before 4.13 says of it
            self.position_s, self._begins = self._round_s, False
            return upright(picture, self._rotate)
        stamp_s = self._round_s + self._decoder.position_s
        # Containers without timestamps, and broken ones, count on by one frame: time must not stand still.
        self.position_s = stamp_s if stamp_s > self.position_s else self.position_s + self._frame_s
        return upright(picture, self._rotate)

    def _again(self) -> Image | None:
        """The first picture of the next round. Opened anew, because not every container can be wound back."""
        self._decoder.close()
        self._decoder = self._begin()
        self._round_s, self._begins = self.position_s + self._frame_s, True
        return self._take()


def _is_for_pyav(capture: cv2.VideoCapture, path: Path) -> bool:
    """Whether PyAV is to decode: OpenCV's first pictures do not change, and PyAV is there. Closes ``capture``."""
    decoder = OpenCvDecoder(capture)
    doubtful = is_doubtful(decoder)
    decoder.close()
    other = second_decoder(path) if doubtful else None
    if other is None:
        return False
    other.close()
    logger.info("%s: OpenCV gives the very same picture again and again; PyAV decodes instead", printable_path(path))
    return True


def _open(path: Path) -> cv2.VideoCapture:
    """The capture of a file that is there and is a video; raises UnusableSource."""
    # An absolute path, because FFmpeg takes what stands before a colon in a name for a protocol.
    whole = str(path.absolute())
    shown = printable_path(path)
    try:
        whole.encode()
    except UnicodeEncodeError:  # OpenCV 4.14 does not refuse it, it crashes
        raise UnusableSource(
            f"{printable_path(path.absolute())}: cannot be opened, the name is not UTF-8: rename it"
        ) from None
    try:
        with open_regular(path) as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise UnusableSource(f"{shown}: no such file or folder") from None
    except OSError as error:
        raise UnusableSource(f"{shown}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if empty:
        raise UnusableSource(f"{shown}: the file is empty")
    capture = open_ffmpeg(whole)
    if not capture.isOpened() or format_name(capture).lower() in TEXT_FORMATS:
        raise UnusableSource(f"{shown}: not a video that can be read")
    flaw = size_flaw(capture)
    if flaw is not None:
        capture.release()
        raise UnusableSource(f"{shown}: {flaw}")
    return capture
