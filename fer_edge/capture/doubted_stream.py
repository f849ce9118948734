"""An RTSP stream whose decoder is not believed while its pictures do not change; PyAV takes over then."""

import importlib.util
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from fer_edge.capture.decoders import ALIKE, INTERLACED_CURE, Alike, PyAvDecoder
from fer_edge.capture.network import OPTIONS, READ_PART, TRANSPORTS, address_of
from fer_edge.capture.opencv import RTSP_GUARD
from fer_edge.capture.upright import upright
from fer_edge.capture.uri import redact
from fer_edge.config.model import CameraSettings
from fer_edge.config.source_scheme import scheme_of
from fer_edge.errors import SourceError
from fer_edge.types import Image

if TYPE_CHECKING:
    from fer_edge.capture.sources import Source

OPEN_LIMIT_S = 8.0

logger = logging.getLogger(__name__)


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
        self._decoder = _connect(settings)
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


def _connect(settings: CameraSettings) -> PyAvDecoder:
    """The decoder, by the first transport that gives pictures."""
    url = address_of(settings).url(login=True)
    for transport in TRANSPORTS[settings.transport]:
        options = dict(pair.split(";", 1) for pair in f"{OPTIONS.format(transport=transport)}|{RTSP_GUARD}".split("|"))
        try:
            return PyAvDecoder(url, options, (OPEN_LIMIT_S, READ_PART * settings.stall_s))
        except OSError as error:
            reason = error
    raise SourceError(f"{redact(str(settings.source))}: {reason}: is it interlaced? Set the camera to progressive")
