"""A source whose pictures are blacked out in the zones before anybody gets them."""

from fer_edge.capture.sources import Recording, Source
from fer_edge.masks import Zones
from fer_edge.types import Image


def blacked_out(source: Source, zones: Zones) -> Source:
    """``source`` behind ``zones``; itself where there are none. A recording stays one."""
    if not zones:
        return source
    return MaskedRecording(source, zones) if isinstance(source, Recording) else Masked(source, zones)


class Masked:
    """Owned by the thread that reads it, as the source is."""

    def __init__(self, source: Source, zones: Zones) -> None:
        self._source = source
        self._zones = zones

    @property
    def live(self) -> bool:
        """As the source's."""
        return self._source.live

    @property
    def rate_hz(self) -> float | None:
        """As the source's."""
        return self._source.rate_hz

    @property
    def format(self) -> str:
        """As the source's."""
        return self._source.format

    def read(self) -> Image | None:
        """The next picture, zeros in every zone."""
        image = self._source.read()
        return None if image is None else self._zones.black_out(image)

    def close(self) -> None:
        """Closes the source."""
        self._source.close()


class MaskedRecording(Masked):
    """The same with media time."""

    def __init__(self, source: Recording, zones: Zones) -> None:
        super().__init__(source, zones)
        self._recording = source

    @property
    def position_s(self) -> float:
        """As the source's."""
        return self._recording.position_s
