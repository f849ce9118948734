"""A recording for analysis: nothing dropped, media time."""

import pytest

from fer_edge.capture.sources import open_source, play
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError


def test_all_frames_come_with_media_time_and_number_however_slowly_they_are_taken(uneven_film, number_of) -> None:
    path, times = uneven_film
    frames = list(play(open_source(CameraSettings(source=str(path)))))
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.captured_at for frame in frames] == pytest.approx(times)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]


class Live:
    """Live source that records whether it was closed."""

    live = True
    rate_hz: float | None = 15.0
    format = "live"
    closed = False

    def read(self):
        raise AssertionError("a live source is not to be read here")

    def close(self) -> None:
        self.closed = True


def test_live_source_is_refused_at_once_and_closed() -> None:
    source = Live()
    with pytest.raises(SourceError, match="only a video file or a folder"):
        play(source)
    assert source.closed


class Tape:
    """Recording of three frames that records whether it was closed."""

    live = False
    rate_hz: float | None = 1.0
    format = "tape"
    position_s = 0.0
    closed = False

    def __init__(self, image) -> None:
        self._images = [image] * 3

    def read(self):
        return self._images.pop() if self._images else None

    def close(self) -> None:
        self.closed = True


def test_recording_is_closed_at_its_end_and_when_the_taker_leaves(image) -> None:
    for leave_after in (1, 3, 4):
        tape = Tape(image(0))
        frames = play(tape)
        for _, _ in zip(range(leave_after), frames, strict=False):
            pass
        frames.close()
        assert tape.closed
