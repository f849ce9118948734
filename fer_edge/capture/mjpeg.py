"""HTTP network camera: MJPEG of any dialect, JPEG snapshots, or a video container.

OpenCV's MJPEG reader accepts only FFmpeg's dialect and follows any redirect. So the bytes are always fetched here;
FFmpeg decodes only video containers, and opens no address itself.
"""

import http.client
import io
import re
import time

import cv2
import numpy as np

from fer_edge.capture.decoders import pixel_aspect, square
from fer_edge.capture.diagnostics import brief, describe_error
from fer_edge.capture.http_client import HttpClient
from fer_edge.capture.jpeg import START, JpegError, JpegReader
from fer_edge.capture.opencv import BYTES_GUARD, format_name, open_ffmpeg, size_flaw, upright
from fer_edge.capture.uri import Address, redact
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.types import Image

OPEN_LIMIT_S = 8.0  # some cameras take seconds to send the first frame
READ_PART = 0.9  # of stall_s, so that a read times out before the stream counts as stalled
POLL_PART = 0.5  # of stall_s: longest interval between snapshots, so that the camera does not count as silent
SNIFFED_BYTES = 16
ANALYSE = "analyzeduration;1000000"  # microseconds; see network.OPTIONS

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
# BYTES_GUARD on, so nothing else is given to FFmpeg.
VIDEO = re.compile(
    rb"G|.{4}G|FLV|.{4}(?:ftyp|styp|sidx|moov|moof|mdat|free|skip|wide)|\x1aE\xdf\xa3|RIFF|OggS|0&\xb2u|\0\0\0?\x01",
    re.DOTALL,
)
NO_VIDEO = ("text/", "image/", "application/json", "application/xml", "application/pdf")


def open_http(settings: CameraSettings, address: Address) -> "HttpCamera | HttpVideo":
    """Open the camera at an http or https address.

    Raises:
        SourceError: it delivers no frames; the reason and what to do.
        UnusableSource: it is a recording.
    """
    name = redact(str(settings.source))
    client = HttpClient(address, name)
    deadline = time.monotonic() + OPEN_LIMIT_S
    try:
        client.get(deadline)
        begin = _begin(client, deadline)
        _reject(name, client.content_type, begin)
        if _is_jpeg(client.content_type, begin):
            return HttpCamera(settings, client, begin, deadline)
        return HttpVideo(settings, client, begin, deadline)
    except (OSError, http.client.HTTPException, ValueError, cv2.error) as error:
        client.close()
        raise SourceError(f"{name}: {_reason(error, address)}") from error
    except SourceError:
        client.close()
        raise


class HttpCamera:
    """JPEG images, in one response or one per request. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None

    def __init__(self, settings: CameraSettings, client: HttpClient, begin: bytes, deadline: float) -> None:
        """Read the first frame of a response that begins with ``begin``, until ``deadline``; raises as `open_http`."""
        self._name = redact(str(settings.source))
        self._rotate = settings.rotate
        self._client = client
        self._read_limit_s = READ_PART * settings.stall_s
        self._period_s = min(1.0 / settings.rate_hz, POLL_PART * settings.stall_s)
        self._requested_at = time.monotonic()
        # A response that is not multipart ends after a frame, and the next one is requested.
        self._is_polled = not client.content_type.startswith("multipart/") and not begin.startswith(b"--")
        self.format = "JPEG" if self._is_polled else "MJPG"
        self._reader = JpegReader()
        self._reader.feed(begin)
        self._has_image = False  # the current response contained a frame
        self._broken = 0
        self._first = self._next(deadline)
        if self._first is None:
            kind = brief(client.content_type) or "no type"
            broken = f" that can be decoded ({self._broken} cannot)" if self._broken else ""
            raise SourceError(f"{self._name}: it responds ({kind}), but sends no JPEG image{broken}: check the path")

    def read(self) -> Image | None:
        """The next frame; None after the end of the connection or a timeout.

        Raises:
            SourceError: an image is too large, or the snapshot address fails.
        """
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            return self._next(time.monotonic() + self._read_limit_s)
        except JpegError as error:
            raise SourceError(f"{self._name}: {error}") from error
        except (OSError, http.client.HTTPException, ValueError, cv2.error):
            return None  # disconnected in the middle

    def close(self) -> None:
        self._client.close()

    def _next(self, deadline: float) -> Image | None:
        """The next decodable frame; None at the end of the stream or after ``deadline``."""
        try:
            while (jpeg := self._jpeg(deadline)) is not None:
                image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                if image is not None:
                    return upright(image, self._rotate)
                self._broken += 1
                if time.monotonic() >= deadline:  # images arrive in time, but none can be decoded
                    break
        except TimeoutError:
            pass
        return None

    def _jpeg(self, deadline: float) -> bytes | None:
        """The next complete JPEG; None at the end of the stream."""
        while (jpeg := self._reader.take()) is None:
            data = self._client.read(deadline)
            if data:
                self._reader.feed(data)
            elif self._is_polled and self._has_image:
                deadline = self._request_next()
            else:
                return None
        self._has_image = True
        return jpeg

    def _request_next(self) -> float:
        """Request the next frame when it is due; return its deadline."""
        time.sleep(max(0.0, self._requested_at + self._period_s - time.monotonic()))
        self._requested_at = time.monotonic()
        deadline = self._requested_at + self._read_limit_s
        self._client.get(deadline)
        self._reader, self._has_image = JpegReader(), False
        return deadline


class HttpVideo:
    """Video container read by FFmpeg: MPEG-TS, FLV, MP4. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg only estimates it

    def __init__(self, settings: CameraSettings, client: HttpClient, begin: bytes, deadline: float) -> None:
        """Open a container that begins with ``begin``, until ``deadline``; raises as `open_http`."""
        name = redact(str(settings.source))
        self._rotate = settings.rotate
        self._read_limit_s = READ_PART * settings.stall_s
        self._client = client
        self._bytes = _Body(client, begin, deadline)
        self._capture = open_ffmpeg(self._bytes, options=ANALYSE, guard=BYTES_GUARD)
        has_length = client.response is not None and client.response.length is not None
        # Only a recording states a frame count.
        if self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0 or (has_length and not self._capture.isOpened()):
            self._capture.release()
            raise UnusableSource(f"{name}: a recording, not a camera: download it and set camera.source to the file")
        if not self._capture.isOpened():
            kind = brief(client.content_type) or "no type"
            raise SourceError(f"{name}: it responds ({kind}), but sends no readable video: check the path")
        flaw = size_flaw(self._capture)
        if flaw is not None:
            self._capture.release()
            raise SourceError(f"{name}: {flaw}")
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next frame; None after the end of the connection or a timeout."""
        self._bytes.deadline = time.monotonic() + self._read_limit_s
        ok, image = self._capture.read()
        # At the end of its input the decoder returns the frames it still held: those do not count.
        late = time.monotonic() >= self._bytes.deadline
        return upright(square(image, pixel_aspect(self._capture)), self._rotate) if ok and not late else None

    def close(self) -> None:
        self._capture.release()
        self._client.close()


class _Body(io.BufferedIOBase):
    """Response body as OpenCV reads it. Never raises: that would end the process."""

    def __init__(self, client: HttpClient, begin: bytes, deadline: float) -> None:
        self._client = client
        self._ready = begin
        self._ended = False
        self.deadline = deadline  # monotonic seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """At least one of at most ``size`` bytes; empty at the end and after the deadline."""
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
        """Not supported; returns -1."""
        return -1


def _begin(client: HttpClient, deadline: float) -> bytes:
    """The first bytes of a response, SNIFFED_BYTES or more; fewer if no more arrive before ``deadline``."""
    begin = b""
    try:
        while len(begin) < SNIFFED_BYTES and (data := client.read(deadline)):
            begin += data
    except TimeoutError:
        pass
    return begin


def _reject(name: str, kind: str, begin: bytes) -> None:
    """Raise SourceError if a response is neither images nor video, or only a playlist."""
    text = begin.lstrip(b"\xef\xbb\xbf \r\n\t")
    listed = LISTS.get(kind) or next((what for mark, what in LIST_BEGINNINGS.items() if text.startswith(mark)), None)
    if listed is not None:
        raise SourceError(f"{name}: {listed}, which only refers to the stream: use the address of the stream itself")
    if text.startswith(b"<"):
        kind = "text/html"
    elif _is_jpeg(kind, begin):
        return
    if kind.startswith(NO_VIDEO):
        raise SourceError(f"{name}: not a video but {brief(kind)}: check the path in the camera's manual")
    if not VIDEO.match(begin):
        raise SourceError(f"{name}: it responds ({brief(kind) or 'no type'}), but sends no video: check the path")


def _is_jpeg(kind: str, begin: bytes) -> bool:
    """Return whether a response is JPEG images, by its media type or its first bytes."""
    return kind.startswith("multipart/") or kind in JPEG_TYPES or begin.startswith((START, b"--"))


def _reason(error: Exception, address: Address) -> str:
    if isinstance(error, JpegError):
        return str(error)
    return (
        "it sends images that cannot be decoded"
        if isinstance(error, cv2.error)
        else describe_error(error, address.port)
    )
