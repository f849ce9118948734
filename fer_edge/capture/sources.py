"""Frame sources: the protocol, the factory for `camera.source`, and playback of recordings."""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from fer_edge.capture.images import ImageFolder
from fer_edge.capture.network import open_stream, with_fallback
from fer_edge.capture.picamera import PiCamera
from fer_edge.capture.uri import Kind, kind_of
from fer_edge.capture.v4l2 import V4l2Camera
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.masks import NO_MASK
from fer_edge.types import Frame, Image


class Source(Protocol):
    """Sequence of frames. Owned by the thread that reads it."""

    @property
    def live(self) -> bool:
        """Return whether it is a camera: it sets its own rate, and can be reopened after a loss."""

    @property
    def rate_hz(self) -> float | None:
        """Frames per second as stated by the source; None if it does not."""

    @property
    def format(self) -> str:
        """Format for display: `MJPG`, `h264`, `12 images`."""

    def read(self) -> Image | None:
        """The next frame, a new (h, w, 3) uint8 BGR array; None at the end or when a live source is lost."""

    def close(self) -> None:
        """Release the device, connection or file; a second call does nothing."""


@runtime_checkable
class Recording(Source, Protocol):
    """A source that is not live and has media times."""

    @property
    def position_s(self) -> float:
        """Media time of the last frame in seconds; it never decreases."""


def open_source(settings: CameraSettings) -> Source:
    """Open the source ``settings.source``.

    Raises SourceError if a retry may succeed (a camera, an address), and UnusableSource if it cannot (a file, a folder,
    a missing package). The message states what to do and contains no user name or password.
    """
    match kind_of(settings.source):
        case Kind.V4L2:
            return V4l2Camera(settings)
        case Kind.STREAM:
            return with_fallback(open_stream(settings), settings)
        case Kind.PICAMERA:
            return PiCamera(settings)
        case Kind.IMAGES:
            return ImageFolder(settings)
        case Kind.VIDEO:
            return VideoFile(settings)


def play(source: Source, mask: Callable[[Image], Image] = NO_MASK) -> Iterator[Frame]:
    """Iterate over all frames of ``source``, masked, with `captured_at` in media time; close it at the end.

    Raises SourceError immediately for a live source: it has no end and no media time.
    """
    if not isinstance(source, Recording):
        source.close()
        raise SourceError("only a video file or a folder of images can be analysed, not a live source")
    return _frames(source, mask)


def _frames(source: Recording, mask: Callable[[Image], Image]) -> Iterator[Frame]:
    try:
        number = 0
        while (image := source.read()) is not None:
            yield Frame(mask(image), source.position_s, number)
            number += 1
    finally:
        source.close()
