"""What a source of pictures is, and the choice of the right one for a setting."""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from fer_edge.capture.images import ImageFolder
from fer_edge.capture.network import doubted, open_stream
from fer_edge.capture.picamera import PiCamera
from fer_edge.capture.uri import Kind, kind_of
from fer_edge.capture.v4l2 import V4l2Camera
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.masks import NO_MASK
from fer_edge.types import Frame, Image


class Source(Protocol):
    """Something that gives pictures one after the other. Owned by one thread, the one that reads it."""

    @property
    def live(self) -> bool:
        """Whether it is happening now: it sets its own pace, and it may come back after it was lost."""

    @property
    def rate_hz(self) -> float | None:
        """Frames per second as the source itself states it; None where it does not."""

    @property
    def format(self) -> str:
        """What is read, for people: `MJPG`, `h264`, `12 images`."""

    def read(self) -> Image | None:
        """The next picture, a new (h, w, 3) uint8 BGR array; None at the end or when a live source is lost."""

    def close(self) -> None:
        """Give the device, connection or file back; a second call does nothing."""


@runtime_checkable
class Recording(Source, Protocol):
    """A source that is not live and knows when each of its pictures was taken."""

    @property
    def position_s(self) -> float:
        """Media time in seconds of the picture that was read last; it only rises."""


def open_source(settings: CameraSettings) -> Source:
    """The opened source that ``settings.source`` names.

    Raises SourceError where it may be there later (a camera, an address), and UnusableSource where waiting will not
    help (a file, a folder, a missing package). Either says what to do, without user names and passwords.
    """
    match kind_of(settings.source):
        case Kind.V4L2:
            return V4l2Camera(settings)
        case Kind.STREAM:
            return doubted(open_stream(settings), settings)
        case Kind.PICAMERA:
            return PiCamera(settings)
        case Kind.IMAGES:
            return ImageFolder(settings)
        case Kind.VIDEO:
            return VideoFile(settings)


def play(source: Source, mask: Callable[[Image], Image] = NO_MASK) -> Iterator[Frame]:
    """The frames of ``source``, ``mask`` applied, none dropped, `captured_at` in media time; closes it at the end.

    Raises SourceError at once for a live source: it has no end and no media time.
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
