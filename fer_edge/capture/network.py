"""A network camera: RTSP by FFmpeg, HTTP by `mjpeg.py`."""

import importlib.util
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2

from fer_edge.capture.decoders import ALIKE, INTERLACED_CURE, Alike, PyAvDecoder, pixel_aspect, square
from fer_edge.capture.opencv import RTSP_GUARD, USERS_OPTIONS, format_name, open_ffmpeg, size_flaw, upright
from fer_edge.capture.uri import Address, parse_address, redact
from fer_edge.config.model import CameraSettings, scheme_of
from fer_edge.errors import SourceError
from fer_edge.types import Image
from fer_edge.untrusted import SecretError, read_password

if TYPE_CHECKING:
    from fer_edge.capture.sources import Source

logger = logging.getLogger(__name__)

CREDENTIAL = "camera-password"  # its name in systemd's LoadCredential=, see systemd.exec(5)
# One second of analysis instead of five: it opens sooner, and what was buffered meanwhile is old when it is read.
# (`nobuffer` throws the first key frame away: a camera that sends one every 15 s then gives no picture for as long.)
OPTIONS = "rtsp_transport;{transport}|rtsp_flags;prefer_tcp|analyzeduration;1000000"  # microseconds
# TCP first, because a lost UDP packet tears the picture until the next key frame. Of both, FFmpeg takes UDP where the
# camera refuses TCP in words; where it agrees and then sends nothing, a second attempt is needed.
TRANSPORTS = {"auto": ("tcp+udp", "udp"), "tcp": ("tcp",), "udp": ("udp",)}
TRIED = {
    "auto": "tried TCP and UDP",
    "tcp": "tried TCP; camera.transport: auto tries UDP, too",
    "udp": "tried UDP; camera.transport: auto tries TCP, too",
}
# Opening takes some cameras seconds, and nothing is being watched meanwhile, so it is given more time than a read.
OPEN_LIMIT_MS = 8000
READ_PART = 0.9  # of stall_s, so that a silent stream has been given up before it counts as stalled
OPEN_LIMIT_S = 8.0


def open_stream(settings: CameraSettings) -> "Source":
    """The network camera that ``settings.source`` names.

    Raises:
        SourceError: it gives no pictures; the reason and what to do.
    """
    address = address_of(settings)
    if address.scheme.startswith("rtsp"):
        try:
            return RtspCamera(settings, address)
        except cv2.error as error:
            raise SourceError(f"{redact(str(settings.source))}: OpenCV cannot open it ({error.code})") from error
    # 30 ms of imports that only a camera of this kind needs.
    from fer_edge.capture.mjpeg import open_http  # noqa: PLC0415

    return open_http(settings, address)


def address_of(settings: CameraSettings, *, quiet: bool = True) -> Address:
    """The camera's address with its user and password, from wherever the settings have them.

    ``quiet``: see `untrusted.read_secret`. Raises SourceError.
    """
    address = parse_address(str(settings.source))
    username = settings.username or address.username
    if not username or address.password:
        return address
    try:
        password = read_password(settings.password_file, CREDENTIAL, "camera.password_file", quiet=quiet)
    except SecretError as error:  # it may be cured while the daemon runs
        raise SourceError(str(error)) from error
    return replace(address, username=username, password=password or "")


def check_login(settings: CameraSettings) -> None:
    """Log, once before the first attempt to connect, where others may read the camera's password file."""
    with suppress(SourceError):  # the attempt itself says why
        address_of(settings, quiet=False)


class RtspCamera:
    """An RTSP stream. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg's figure is a guess

    def __init__(self, settings: CameraSettings, address: Address) -> None:
        """Connect; raises SourceError with the reason and what to do."""
        self._rotate = settings.rotate
        self._read_limit_s = READ_PART * settings.stall_s
        self._capture = _connect(settings, address, int(1000 * self._read_limit_s))
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


def _connect(settings: CameraSettings, address: Address, read_limit_ms: int) -> cv2.VideoCapture:
    """The open capture, by the first transport that gives pictures."""
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
    raise SourceError(f"{name}: {text or 'it answers, but sends no picture that can be read'} ({tried})")


class DoubtedStream:
    """A live source, and another for the same pictures where the first ALIKE of it are the very same.

    Owned by the thread that reads it. ``name`` is how the log calls it.
    """

    live = True
    rate_hz: float | None = None

    def __init__(self, source: "Source", other: Callable[[], "Source"], name: str) -> None:
        self._source = source
        self._other = other
        self._name = name
        self._alike = Alike()

    @property
    def format(self) -> str:
        """As the source's."""
        return self._source.format

    def read(self) -> Image | None:
        """The next picture. Raises SourceError where the other source cannot be opened."""
        image = self._source.read()
        if image is None or self._alike.count(image) < ALIKE:
            return image
        self._alike.decided = True
        logger.info("camera %s: OpenCV gives the very same picture again and again; PyAV decodes instead", self._name)
        self._source.close()  # first: there are cameras that serve one viewer
        self._source = self._other()
        return self._source.read()

    def close(self) -> None:
        """Close the source in use."""
        self._source.close()


class PyAvStream:
    """An RTSP stream by PyAV. Owned by the thread that reads it."""

    live = True
    rate_hz: float | None = None  # FFmpeg's figure is a guess

    def __init__(self, settings: CameraSettings) -> None:
        """Connect; raises SourceError."""
        self._rotate = settings.rotate
        self._decoder = _connect_doubted_stream(settings)
        self.format = self._decoder.format

    def read(self) -> Image | None:
        """The next picture; None where the connection ended or gave nothing within the time limit."""
        picture = self._decoder.read()
        return None if picture is None else upright(picture, self._rotate)

    def close(self) -> None:
        """Disconnect."""
        self._decoder.close()


def doubted(source: "Source", settings: CameraSettings) -> "Source":
    """``source`` with PyAV behind it; itself where PyAV is not installed or it is no RTSP."""
    if not has_pyav() or not _is_rtsp(settings):
        return source
    return DoubtedStream(source, lambda: PyAvStream(settings), redact(str(settings.source)))


def frozen_cure(settings: CameraSettings) -> str:
    """The end of a sentence on a source that gives the very same picture; empty where it is the camera's own doing."""
    return "" if has_pyav() or not _is_rtsp(settings) else f"; {INTERLACED_CURE}"


def has_pyav() -> bool:
    """Return whether PyAV is installed; it is not loaded for that."""
    return importlib.util.find_spec("av") is not None


def _is_rtsp(settings: CameraSettings) -> bool:
    return (scheme_of(str(settings.source).strip()) or "").lower().startswith("rtsp")


def _connect_doubted_stream(settings: CameraSettings) -> PyAvDecoder:
    """The decoder, by the first transport that gives pictures."""
    url = address_of(settings).url(login=True)
    for transport in TRANSPORTS[settings.transport]:
        options = dict(pair.split(";", 1) for pair in f"{OPTIONS.format(transport=transport)}|{RTSP_GUARD}".split("|"))
        try:
            return PyAvDecoder(url, options, (OPEN_LIMIT_S, READ_PART * settings.stall_s))
        except OSError as error:
            reason = error
    raise SourceError(f"{redact(str(settings.source))}: {reason}: is it interlaced? Set the camera to progressive")
