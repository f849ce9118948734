"""A network camera: RTSP, or MJPEG over HTTP."""

import time

import cv2

from fer_edge.capture.address import redact
from fer_edge.capture.decoders import pixel_aspect, square
from fer_edge.capture.opencv import format_name, open_ffmpeg
from fer_edge.capture.upright import upright
from fer_edge.config import CameraSettings
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.values import Image

# TCP, because a lost UDP packet tears the picture until the next key frame. One second of analysis instead of five:
# it opens sooner, and what was buffered meanwhile is old when it is read. (`nobuffer` throws the first key frame away:
# a camera that sends one every 15 s then gives no picture for as long.)
OPTIONS = "rtsp_transport;tcp|analyzeduration;1000000"  # microseconds

# Opening takes some cameras seconds, and nothing is being watched meanwhile, so it is given more time than a read.
OPEN_LIMIT_MS = 8000
READ_PART = 0.9  # of stall_s, so that a silent stream has been given up before it counts as stalled


class Stream:
    """A stream from the network. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg's figure is a guess: 25 for every MJPEG stream

    def __init__(self, settings: CameraSettings) -> None:
        """Connect; raises SourceError with the reason and what to do."""
        url = str(settings.source).strip()
        self._rotate = settings.rotate
        self._read_limit_s = READ_PART * settings.stall_s
        read_limit_ms = int(1000 * self._read_limit_s)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_LIMIT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_limit_ms]
        self._capture = open_ffmpeg(url, limits, OPTIONS)
        if not self._capture.isOpened():
            from fer_edge.capture.reach import why_not  # noqa: PLC0415 - 10 ms that only a failure needs

            raise SourceError(why_not(url))
        # Only a recording knows how many frames it has. RTSP servers send theirs at its own pace; HTTP ones do not.
        if url.lower().startswith("http") and self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
            self.close()
            raise UnusableSource(f"{redact(url)}: a recording, not a camera: fetch it and name the file")
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next picture; None where the connection ended or gave nothing within the time limit."""
        begin = time.monotonic()
        taken, picture = self._capture.read()
        # A read whose time is up empties the decoder and gives the picture that was still in it: not a sign of life.
        late = time.monotonic() - begin >= self._read_limit_s
        return upright(square(picture, pixel_aspect(self._capture)), self._rotate) if taken and not late else None

    def close(self) -> None:
        self._capture.release()
