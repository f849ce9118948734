"""A network camera by HTTP: MJPEG of any dialect, an address that gives one JPEG a request, or a video container.

OpenCV's reader of MJPEG takes the one dialect of FFmpeg and follows wherever an answer leads. So the bytes are always
fetched here; FFmpeg decodes what is neither MJPEG nor JPEG, and opens no address itself.
"""

import http.client
import io
import re
import time

import cv2
import numpy as np

from fer_edge.capture.decoders import pixel_aspect, square
from fer_edge.capture.diagnostics import brief, trouble
from fer_edge.capture.http_client import HttpClient
from fer_edge.capture.jpeg import START, JpegError, JpegReader
from fer_edge.capture.opencv import BYTES_GUARD, format_name, open_ffmpeg, size_flaw, upright
from fer_edge.capture.uri import Address, redact
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.types import Image

OPEN_LIMIT_S = 8.0  # the first picture takes some cameras seconds
READ_PART = 0.9  # of stall_s, so that a silent stream has been given up before it counts as stalled
POLL_PART = 0.5  # of stall_s: a snapshot is fetched at least so often, or the camera would count as silent in between
SNIFFED_BYTES = 16
ANALYSE = "analyzeduration;1000000"  # microseconds; see stream.py

LISTS = {
    "application/vnd.apple.mpegurl": "an HLS playlist",
    "application/x-mpegurl": "an HLS playlist",
    "audio/mpegurl": "an HLS playlist",
    "audio/x-mpegurl": "an HLS playlist",
    "application/dash+xml": "a DASH manifest",
    "application/sdp": "an SDP description",
}
LIST_BEGINNINGS = {b"#EXTM3U": "an HLS playlist", b"v=0": "an SDP description", b"ffconcat": "a list of files"}
JPEG_TYPES = ("image/jpeg", "image/jpg", "image/pjpeg")
# The first bytes of MPEG-TS, FLV, MP4, Matroska, AVI, Ogg, ASF, MPEG and raw H.264 and H.265. OpenCV 4.11 does not pass
# BYTES_GUARD on, so nothing else reaches FFmpeg.
VIDEO = re.compile(
    rb"G|.{4}G|FLV|.{4}(?:ftyp|styp|sidx|moov|moof|mdat|free|skip|wide)|\x1aE\xdf\xa3|RIFF|OggS|0&\xb2u|\0\0\0?\x01",
    re.DOTALL,
)
NO_VIDEO = ("text/", "image/", "application/json", "application/xml", "application/pdf")


def open_http(settings: CameraSettings, address: Address) -> "HttpCamera | HttpVideo":
    """The camera at an http or https address.

    Raises:
        SourceError: it gives no pictures; the reason and what to do.
        UnusableSource: it is a recording.
    """
    name = redact(str(settings.source))
    client = HttpClient(address, name)
    deadline = time.monotonic() + OPEN_LIMIT_S
    try:
        client.get(deadline)
        begin = _begin(client, deadline)
        _refuse(name, client.content_type, begin)
        if _is_jpegs(client.content_type, begin):
            return HttpCamera(settings, client, begin, deadline)
        return HttpVideo(settings, client, begin, deadline)
    except (OSError, http.client.HTTPException, ValueError, cv2.error) as error:
        client.close()
        raise SourceError(f"{name}: {_reason(error, address)}") from error
    except SourceError:
        client.close()
        raise


class HttpCamera:
    """JPEG after JPEG, in one answer or in one for each request. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None

    def __init__(self, settings: CameraSettings, client: HttpClient, begin: bytes, deadline: float) -> None:
        """Read the first picture, whose answer begins with ``begin``, until ``deadline``; raises as `open_http`."""
        self._name = redact(str(settings.source))
        self._rotate = settings.rotate
        self._client = client
        self._read_limit_s = READ_PART * settings.stall_s
        self._period_s = min(1.0 / settings.rate_hz, POLL_PART * settings.stall_s)
        self._asked_at = time.monotonic()
        # An answer that is no multipart stream and ends after a picture: the next one is asked for.
        self._is_polled = not client.content_type.startswith("multipart/") and not begin.startswith(b"--")
        self.format = "JPEG" if self._is_polled else "MJPG"
        self._reader = JpegReader()
        self._reader.feed(begin)
        self._gave = False  # the answer under way held a picture
        self._broken = 0
        self._first = self._next(deadline)
        if self._first is None:
            kind = brief(client.content_type) or "no type"
            broken = f" that can be decoded ({self._broken} cannot)" if self._broken else ""
            raise SourceError(f"{self._name}: it answers ({kind}), but sends no JPEG picture{broken}: check the path")

    def read(self) -> Image | None:
        """The next picture; None where the connection ended or gave nothing within the time limit.

        Raises:
            SourceError: a picture is too large, or the address of single pictures gives none any more.
        """
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            return self._next(time.monotonic() + self._read_limit_s)
        except JpegError as error:
            raise SourceError(f"{self._name}: {error}") from error
        except (OSError, http.client.HTTPException, ValueError, cv2.error):
            return None  # cut off in the middle

    def close(self) -> None:
        self._client.close()

    def _next(self, deadline: float) -> Image | None:
        """The next picture that can be decoded; None at the end of the stream or where ``deadline`` has passed."""
        try:
            while (jpeg := self._jpeg(deadline)) is not None:
                picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                if picture is not None:
                    return upright(picture, self._rotate)
                self._broken += 1
                if time.monotonic() >= deadline:  # they arrive in time, one after another, and none can be decoded
                    break
        except TimeoutError:
            pass
        return None

    def _jpeg(self, deadline: float) -> bytes | None:
        """The next whole JPEG; None at the end of the stream."""
        while (jpeg := self._reader.take()) is None:
            data = self._client.read(deadline)
            if data:
                self._reader.feed(data)
            elif self._is_polled and self._gave:
                deadline = self._ask_again()
            else:
                return None
        self._gave = True
        return jpeg

    def _ask_again(self) -> float:
        """Request the next picture when it is due; the deadline of its arrival."""
        time.sleep(max(0.0, self._asked_at + self._period_s - time.monotonic()))
        self._asked_at = time.monotonic()
        deadline = self._asked_at + self._read_limit_s
        self._client.get(deadline)
        self._reader, self._gave = JpegReader(), False
        return deadline


class HttpVideo:
    """A container that FFmpeg reads: MPEG-TS, FLV, MP4. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg's figure is a guess

    def __init__(self, settings: CameraSettings, client: HttpClient, begin: bytes, deadline: float) -> None:
        """Open the container, which begins with ``begin``, until ``deadline``; raises as `open_http`."""
        name = redact(str(settings.source))
        self._rotate = settings.rotate
        self._read_limit_s = READ_PART * settings.stall_s
        self._client = client
        self._bytes = _Body(client, begin, deadline)
        self._capture = open_ffmpeg(self._bytes, options=ANALYSE, guard=BYTES_GUARD)
        has_length = client.response is not None and client.response.length is not None
        # Only a recording knows how many frames it has.
        if self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0 or (has_length and not self._capture.isOpened()):
            self._capture.release()
            raise UnusableSource(f"{name}: a recording, not a camera: fetch it and name the file")
        if not self._capture.isOpened():
            kind = brief(client.content_type) or "no type"
            raise SourceError(f"{name}: it answers ({kind}), but sends no video that can be read: check the path")
        flaw = size_flaw(self._capture)
        if flaw is not None:
            self._capture.release()
            raise SourceError(f"{name}: {flaw}")
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next picture; None where the connection ended or gave nothing within the time limit."""
        self._bytes.deadline = time.monotonic() + self._read_limit_s
        taken, picture = self._capture.read()
        # At the end of its bytes the decoder gives the pictures that were still in it: not a sign of life.
        late = time.monotonic() >= self._bytes.deadline
        return upright(square(picture, pixel_aspect(self._capture)), self._rotate) if taken and not late else None

    def close(self) -> None:
        self._capture.release()
        self._client.close()


class _Body(io.BufferedIOBase):
    """An answer's body as OpenCV reads it. Never raises: that would end the process."""

    def __init__(self, client: HttpClient, begin: bytes, deadline: float) -> None:
        self._client = client
        self._ready = begin
        self._ended = False
        self.deadline = deadline  # monotonic seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """At least one of at most ``size`` bytes; empty at the end, which a passed deadline is, too."""
        if not self._ready and not self._ended:
            try:
                self._ready = self._client.read(self.deadline)
            except (OSError, http.client.HTTPException, ValueError):
                self._ready = b""
            self._ended = not self._ready
        size = len(self._ready) if size is None or size < 0 else size
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def seek(self, _offset: int, _whence: int = 0, /) -> int:
        """Refused: what was sent cannot be sent again."""
        return -1


def _begin(client: HttpClient, deadline: float) -> bytes:
    """The first bytes of an answer, SNIFFED_BYTES or more; fewer where no more arrive until ``deadline``."""
    begin = b""
    try:
        while len(begin) < SNIFFED_BYTES and (data := client.read(deadline)):
            begin += data
    except TimeoutError:
        pass
    return begin


def _refuse(name: str, kind: str, begin: bytes) -> None:
    """Raise SourceError where an answer is no picture and no video, or only names where there is one."""
    text = begin.lstrip(b"\xef\xbb\xbf \r\n\t")
    listed = LISTS.get(kind) or next((what for mark, what in LIST_BEGINNINGS.items() if text.startswith(mark)), None)
    if listed is not None:
        raise SourceError(f"{name}: {listed}, which only names the stream: name the stream itself")
    if text.startswith(b"<"):
        kind = "text/html"
    elif _is_jpegs(kind, begin):
        return
    if kind.startswith(NO_VIDEO):
        raise SourceError(f"{name}: not a video but {brief(kind)}: check the path; the camera's manual names it")
    if not VIDEO.match(begin):
        raise SourceError(f"{name}: it answers ({brief(kind) or 'no type'}), but sends no video: check the path")


def _is_jpegs(kind: str, begin: bytes) -> bool:
    """Return whether an answer is pictures: it says so, or looks so whatever it says."""
    return kind.startswith("multipart/") or kind in JPEG_TYPES or begin.startswith((START, b"--"))


def _reason(error: Exception, address: Address) -> str:
    if isinstance(error, JpegError):
        return str(error)
    return "it sends pictures that cannot be decoded" if isinstance(error, cv2.error) else trouble(error, address.port)
