"""A live decoder whose pictures do not change, and the one that takes over."""

import logging
from collections.abc import Sequence

import pytest

from fer_edge.capture.decoders import ALIKE
from fer_edge.capture.doubted_stream import DoubtedStream, doubted
from fer_edge.config import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.values import Image


class FakeSource:
    """Gives these pictures, then nothing."""

    live = True
    rate_hz: float | None = None

    def __init__(self, images: Sequence[Image], name: str = "h264") -> None:
        self.format = name
        self.images = list(images)
        self.closed = False

    def read(self) -> Image | None:
        return self.images.pop(0) if self.images else None

    def close(self) -> None:
        self.closed = True


def test_second_decoder_takes_over_where_the_first_pictures_are_the_very_same(picture, caplog) -> None:
    first = FakeSource([picture(0)] * 50)
    second = FakeSource([picture(number) for number in (3, 4)], "other")
    stream = DoubtedStream(first, lambda: second, "rtsp://***@camera")
    with caplog.at_level(logging.INFO):
        images = [stream.read() for _ in range(ALIKE + 2)]
    assert [None if image is None else int(image[0, 0, 0]) for image in images] == [8] * (ALIKE - 1) + [56, 72, None]
    assert (first.closed, second.closed, stream.format) == (True, False, "other")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["rtsp"]
    stream.close()
    assert second.closed


def test_second_decoder_that_gives_the_same_is_read_on(picture) -> None:
    """Then it is the camera; the supervisor of the camera names it."""
    stream = DoubtedStream(FakeSource([picture(0)] * 50), lambda: FakeSource([picture(0)] * 50), "camera")
    assert all(stream.read() is not None for _ in range(ALIKE + 40))


def test_stream_that_changes_keeps_its_decoder_also_when_it_freezes_later(picture) -> None:
    def never() -> FakeSource:
        pytest.fail("opened a second decoder")

    first = FakeSource([picture(0)] * (ALIKE - 1) + [picture(1)] * 40)
    stream = DoubtedStream(first, never, "camera")
    assert all(stream.read() is not None for _ in range(ALIKE + 30))


def test_second_decoder_that_cannot_be_opened_is_named(picture) -> None:
    def refuse() -> FakeSource:
        raise SourceError("refused")

    stream = DoubtedStream(FakeSource([picture(0)] * 50), refuse, "camera")
    with pytest.raises(SourceError, match="refused"):
        [stream.read() for _ in range(ALIKE)]


@pytest.mark.parametrize(("source", "wrapped"), [("rtsp://h/a", True), ("RTSPS://h/a", True), ("http://h/a", False)])
def test_only_rtsp_is_doubted(source: str, wrapped: bool) -> None:  # noqa: FBT001
    first = FakeSource([])
    assert (doubted(first, CameraSettings(source=source)) is not first) is wrapped
