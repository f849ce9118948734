"""A recording for analysis: every picture of it, as fast as it can be read, at its own time."""

from collections.abc import Iterator

from fer_edge.capture.sources import Recording, Source
from fer_edge.errors import SourceError
from fer_edge.types import Frame


def play(source: Source) -> Iterator[Frame]:
    """The frames of ``source``, none dropped, `captured_at` in media time; closes it at the end.

    Raises SourceError at once for a live source: it has no end and no media time.
    """
    if not isinstance(source, Recording):
        source.close()
        raise SourceError("only a video file or a folder of images can be analysed, not a live source")
    return _frames(source)


def _frames(source: Recording) -> Iterator[Frame]:
    try:
        number = 0
        while (image := source.read()) is not None:
            yield Frame(image, source.position_s, number)
            number += 1
    finally:
        source.close()
