"""Network cameras: RTSP by OpenCV's FFmpeg, with PyAV as fallback; HTTP by `mjpeg`."""

import importlib.util
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2

from fer_edge.capture.decoders import (
    IDENTICAL_FRAMES,
    INTERLACED_CURE,
    IdenticalFrameCounter,
    PyAvDecoder,
    pixel_aspect,
    square,
)
from fer_edge.capture.opencv import RTSP_GUARD, USERS_OPTIONS, format_name, open_ffmpeg, size_flaw, upright
from fer_edge.capture.uri import Address, parse_address, redact
from fer_edge.config.model import CameraSettings, scheme_of
from fer_edge.errors import SourceError
from fer_edge.types import Image
from fer_edge.untrusted import SecretError, read_password

if TYPE_CHECKING:
    from fer_edge.capture.sources import Source

logger = logging.getLogger(__name__)

CREDENTIAL = "camera-password"  # name in systemd's LoadCredential=, see systemd.exec(5)
# One second of analysis instead of five: faster to open, and fewer outdated frames in the buffer.
# (`nobuffer` drops the first key frame: a camera that sends one every 15 s then delivers no frame for that long.)
OPTIONS = "rtsp_transport;{transport}|rtsp_flags;prefer_tcp|analyzeduration;1000000"  # microseconds
# TCP first, because a lost UDP packet damages the frames until the next key frame. With both, FFmpeg uses UDP if the
# camera rejects TCP; if the camera accepts TCP and then sends nothing, a second attempt is needed.
TRANSPORTS = {"auto": ("tcp+udp", "udp"), "tcp": ("tcp",), "udp": ("udp",)}
TRIED = {
    "auto": "tried TCP and UDP",
    "tcp": "tried TCP; camera.transport: auto tries UDP too",
    "udp": "tried UDP; camera.transport: auto tries TCP too",
}
# Some cameras take seconds to open, so the limit is longer than that of a read.
OPEN_LIMIT_MS = 8000
READ_PART = 0.9  # of stall_s, so that a read times out before the stream counts as stalled
OPEN_LIMIT_S = 8.0


def open_stream(settings: CameraSettings) -> "Source":
    """Open the network camera at ``settings.source``.

    Raises:
        SourceError: it delivers no frames; the reason and what to do.
    """
    address = address_of(settings)
    if address.scheme.startswith("rtsp"):
        try:
            return RtspCamera(settings, address)
        except cv2.error as error:
            raise SourceError(f"{redact(str(settings.source))}: OpenCV cannot open it ({error.code})") from error
    # 30 ms of imports that only an HTTP camera needs.
    from fer_edge.capture.mjpeg import open_http  # noqa: PLC0415

    return open_http(settings, address)


def address_of(settings: CameraSettings, *, quiet: bool = True) -> Address:
    """The camera's address with user and password, from the address, the settings or the password file.

    ``quiet``: see `untrusted.read_secret`. Raises SourceError.
    """
    address = parse_address(str(settings.source))
    username = settings.username or address.username
    if not username or address.password:
        return address
    try:
        password = read_password(settings.password_file, CREDENTIAL, "camera.password_file", quiet=quiet)
    except SecretError as error:  # may be fixed while the daemon runs
        raise SourceError(str(error)) from error
    return replace(address, username=username, password=password or "")


def check_login(settings: CameraSettings) -> None:
    """Warn, once before the first connection, if others may read the camera's password file."""
    with suppress(SourceError):  # the connection attempt reports the reason
        address_of(settings, quiet=False)


class RtspCamera:
    """RTSP stream read by OpenCV. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg only estimates it

    def __init__(self, settings: CameraSettings, address: Address) -> None:
        """Connect; raises SourceError with the reason and what to do."""
        self._rotate = settings.rotate
        self._read_limit_s = READ_PART * settings.stall_s
        self._capture = _connect(settings, address, int(1000 * self._read_limit_s))
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next frame; None after the end of the connection or a timeout."""
        begin = time.monotonic()
        ok, image = self._capture.read()
        # A read that times out returns the frame that the decoder still held: that one does not count.
        late = time.monotonic() - begin >= self._read_limit_s
        return upright(square(image, pixel_aspect(self._capture)), self._rotate) if ok and not late else None

    def close(self) -> None:
        self._capture.release()


def _connect(settings: CameraSettings, address: Address, read_limit_ms: int) -> cv2.VideoCapture:
    """Open the stream by the first transport that delivers frames."""
    name = redact(str(settings.source))
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_LIMIT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_limit_ms]
    transports = TRANSPORTS[settings.transport] if USERS_OPTIONS is None else ("the user's",)
    reason = None
    for transport in transports:
        options = OPTIONS.format(transport=transport)
        capture = open_ffmpeg(address.url(login=True), limits, options, RTSP_GUARD)
        if capture.isOpened():
            flaw = size_flaw(capture)
            if flaw is not None:
                capture.release()
                raise SourceError(f"{name}: {flaw}")
            return capture
        from fer_edge.capture.diagnostics import diagnose  # noqa: PLC0415 - 10 ms that only a failure needs

        reason = diagnose(address)
        if reason.final:
            raise SourceError(f"{name}: {reason.text}")
    tried = TRIED[settings.transport] if USERS_OPTIONS is None else "tried OPENCV_FFMPEG_CAPTURE_OPTIONS"
    text = reason.text if reason else ""
    raise SourceError(f"{name}: {text or 'it responds, but sends no readable frames'} ({tried})")


class FallbackStream:
    """Live source that switches to another one if its first IDENTICAL_FRAMES frames are identical.

    Owned by the thread that reads it. ``name`` is its name in the log.
    """

    live = True
    rate_hz: float | None = None

    def __init__(self, source: "Source", open_fallback: Callable[[], "Source"], name: str) -> None:
        self._source = source
        self._open_fallback = open_fallback
        self._name = name
        self._counter = IdenticalFrameCounter()

    @property
    def format(self) -> str:
        """Format of the source in use."""
        return self._source.format

    def read(self) -> Image | None:
        """The next frame. Raises SourceError if the fallback cannot be opened."""
        image = self._source.read()
        if image is None or self._counter.count(image) < IDENTICAL_FRAMES:
            return image
        self._counter.decided = True
        logger.info("camera %s: OpenCV returns identical frames; PyAV decodes instead", self._name)
        self._source.close()  # first: some cameras serve a single client
        self._source = self._open_fallback()
        return self._source.read()

    def close(self) -> None:
        """Close the source in use."""
        self._source.close()


class PyAvStream:
    """RTSP stream read by PyAV. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg only estimates it

    def __init__(self, settings: CameraSettings) -> None:
        """Connect; raises SourceError."""
        self._rotate = settings.rotate
        self._decoder = _connect_pyav(settings)
        self.format = self._decoder.format

    def read(self) -> Image | None:
        """The next frame; None after the end of the connection or a timeout."""
        image = self._decoder.read()
        return None if image is None else upright(image, self._rotate)

    def close(self) -> None:
        """Close the connection."""
        self._decoder.close()


def with_fallback(source: "Source", settings: CameraSettings) -> "Source":
    """``source`` with PyAV as fallback; itself if PyAV is not installed or it is not RTSP."""
    if not has_pyav() or not _is_rtsp(settings):
        return source
    return FallbackStream(source, lambda: PyAvStream(settings), redact(str(settings.source)))


def frozen_cure(settings: CameraSettings) -> str:
    """Hint for a source that sends identical frames; empty if the decoder cannot be the cause."""
    return "" if has_pyav() or not _is_rtsp(settings) else f"; {INTERLACED_CURE}"


def has_pyav() -> bool:
    """Return whether PyAV is installed, without loading it."""
    return importlib.util.find_spec("av") is not None


def _is_rtsp(settings: CameraSettings) -> bool:
    return (scheme_of(str(settings.source).strip()) or "").lower().startswith("rtsp")


def _connect_pyav(settings: CameraSettings) -> PyAvDecoder:
    """Open the stream in PyAV by the first transport that works."""
    url = address_of(settings).url(login=True)
    for transport in TRANSPORTS[settings.transport]:
        options = dict(pair.split(";", 1) for pair in f"{OPTIONS.format(transport=transport)}|{RTSP_GUARD}".split("|"))
        try:
            return PyAvDecoder(url, options, (OPEN_LIMIT_S, READ_PART * settings.stall_s))
        except OSError as error:
            reason = error
    raise SourceError(f"{redact(str(settings.source))}: {reason}: set the camera to progressive if it is interlaced")
