"""Video file as a source, with media times; playback clock."""

import logging
from pathlib import Path

import cv2

from fer_edge.capture.decoders import (
    IDENTICAL_FRAMES,
    INTERLACED_CURE,
    Decoder,
    IdenticalFrameCounter,
    OpenCvDecoder,
    begins_identical,
    open_pyav,
)
from fer_edge.capture.opencv import format_name, open_ffmpeg, size_flaw, upright
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource, os_reason
from fer_edge.files import printable_path, user_path
from fer_edge.types import Image
from fer_edge.untrusted import open_regular

logger = logging.getLogger(__name__)

BEHIND_S = 0.5  # a longer delay restarts the clock, so that no burst of old frames follows
FALLBACK_RATE_HZ = 25.0  # for files without timestamps and rate
TEXT_FORMATS = ("ansi",)  # FFmpeg renders a text file as a video of a terminal


class PlaybackClock:
    """Real-time playback clock of a recording. Not thread-safe; the capture thread owns it."""

    def __init__(self) -> None:
        self._start: float | None = None  # monotonic seconds at which media time was 0

    def wait_s(self, position_s: float, now: float) -> float:
        """Seconds to wait at ``now`` until the frame of media time ``position_s`` is due; 0 if it is late."""
        if self._start is None or now - (self._start + position_s) > BEHIND_S:
            self._start = now - position_s
        return max(0.0, self._start + position_s - now)


class VideoFile:
    """A video file. Owned by the thread that reads it.

    The decoder applies rotation stored in the file (phones); `rotate` is added to it. OpenCV decodes, or PyAV if OpenCV
    returns identical frames.
    """

    live = False

    def __init__(self, settings: CameraSettings) -> None:
        """Open the file and read its first frame; raises UnusableSource with the reason."""
        self._path = user_path(str(settings.source))
        self._rotate = settings.rotate
        self._loop = settings.loop
        capture = _open(self._path)
        self.rate_hz: float | None = capture.get(cv2.CAP_PROP_FPS) or None
        self.format = format_name(capture)
        # Some containers count the frames, others compute this from length and rate.
        self.stated_frames: int | None = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) or None
        self._by_pyav = _needs_pyav(capture, self._path)
        self._counter = IdenticalFrameCounter()
        self._identical = 0
        self._decoder = self._open_decoder()
        self.position_s = 0.0
        self._frame_s = 1.0 / (self.rate_hz or FALLBACK_RATE_HZ)
        self._pass_start_s = 0.0  # media time at which this pass of a looping file began
        self._at_start = True
        self._logged = False
        self._first = self._next_frame()
        if self._first is None:
            raise UnusableSource(
                f"{printable_path(self._path)}: contains no readable frame: check that it is a video and complete"
            )

    def read(self) -> Image | None:
        """The next frame; None at the end, unless the file loops.

        Raises:
            UnusableSource: at the end, if all frames were identical and PyAV is not installed to confirm that.
        """
        image, self._first = self._first, None
        if image is None:
            image = self._next_frame()
        if image is None:
            self._check_for_change()
        if image is None and self._loop:
            image = self._restart()
        return image

    def close(self) -> None:
        self._decoder.close()

    def _open_decoder(self) -> Decoder:
        """Open a decoder at the beginning of the file."""
        pyav = open_pyav(self._path) if self._by_pyav else None
        return pyav or OpenCvDecoder(_open(self._path))

    def _check_for_change(self) -> None:
        """Raise at the end of a pass if all frames were identical; a loop, maybe a still image, only logs it."""
        if self._by_pyav or self._identical < IDENTICAL_FRAMES:
            return
        line = f"{printable_path(self._path)}: all frames are identical; {INTERLACED_CURE}"
        if not self._loop:
            raise UnusableSource(line)
        self._counter, self._identical = IdenticalFrameCounter(), 0
        if not self._logged:
            logger.warning("%s", line)
        self._logged = True

    def _next_frame(self) -> Image | None:
        """The next frame of this pass; updates `position_s`."""
        image = self._decoder.read()
        if image is None:
            return None
        self._identical = self._counter.count(image)
        if self._at_start:  # OpenCV before 4.13 reports a wrong position of the first frame
            self.position_s, self._at_start = self._pass_start_s, False
            return upright(image, self._rotate)
        stamp_s = self._pass_start_s + self._decoder.position_s
        # Without valid timestamps time advances by one frame.
        self.position_s = stamp_s if stamp_s > self.position_s else self.position_s + self._frame_s
        return upright(image, self._rotate)

    def _restart(self) -> Image | None:
        """The first frame of the next pass. The file is reopened, because not every container can seek."""
        self._decoder.close()
        self._decoder = self._open_decoder()
        self._pass_start_s, self._at_start = self.position_s + self._frame_s, True
        return self._next_frame()


def _needs_pyav(capture: cv2.VideoCapture, path: Path) -> bool:
    """Return whether OpenCV's first frames are identical and PyAV can decode the file. Closes ``capture``."""
    decoder = OpenCvDecoder(capture)
    unchanging = begins_identical(decoder)
    decoder.close()
    pyav = open_pyav(path) if unchanging else None
    if pyav is None:
        return False
    pyav.close()
    logger.info("%s: OpenCV returns identical frames; PyAV decodes instead", printable_path(path))
    return True


def _open(path: Path) -> cv2.VideoCapture:
    """Open a video file; raises UnusableSource with the reason."""
    # An absolute path, because FFmpeg takes text before a colon in a name for a protocol.
    absolute = str(path.absolute())
    shown = printable_path(path)
    try:
        absolute.encode()
    except UnicodeEncodeError:  # OpenCV 4.14 crashes
        raise UnusableSource(
            f"{printable_path(path.absolute())}: cannot be opened, the name is not UTF-8: rename it"
        ) from None
    try:
        with open_regular(path) as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise UnusableSource(f"{shown}: no such file or folder") from None
    except OSError as error:
        raise UnusableSource(f"{shown}: cannot be read: {os_reason(error)}") from error
    if empty:
        raise UnusableSource(f"{shown}: the file is empty")
    capture = open_ffmpeg(absolute)
    if not capture.isOpened() or format_name(capture).lower() in TEXT_FORMATS:
        raise UnusableSource(f"{shown}: not a readable video")
    flaw = size_flaw(capture)
    if flaw is not None:
        capture.release()
        raise UnusableSource(f"{shown}: {flaw}")
    return capture
