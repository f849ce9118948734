"""The line of `fer-edge check`."""

import pytest

from fer_edge.capture.probe import probe
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource


def test_video_is_reported_with_size_rate_and_format(film) -> None:
    assert probe(CameraSettings(source=str(film))) == f"96x64 at 10.0 fps from {film} (MJPG)"


def test_rotated_video_is_reported_with_its_rotated_size(film) -> None:
    assert probe(CameraSettings(source=str(film), rotate=90)).startswith("64x96 at ")


def test_missing_video_raises_what_to_do(tmp_path) -> None:
    with pytest.raises(UnusableSource, match="no such file or folder"):
        probe(CameraSettings(source=str(tmp_path / "none.mp4")))


class Ticking:
    """A live source with a frame every ``period_s`` of the clock, after a burst of ``burst`` at once."""

    live = True
    rate_hz: float | None = 30.0  # what it claims
    format = "MJPG"
    closed = False

    def __init__(self, clock, image, period_s: float, burst: int = 0) -> None:
        self._clock, self._image, self._period_s, self._burst = clock, image, period_s, burst

    def read(self):
        self._burst -= 1
        if self._burst < 0:
            self._clock.now += self._period_s
        return self._image

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("period_s", "burst", "rate"), [(0.1, 0, "10.0"), (0.1, 40, "10.0"), (1.0, 0, "1.0")])
def test_rate_of_a_camera_is_measured_and_not_believed(clock, image, period_s, burst, rate) -> None:
    source = Ticking(clock, image(1), period_s, burst)
    line = probe(CameraSettings(source=0), lambda _: source, clock)
    assert line == f"96x64 at {rate} fps from /dev/video0 (MJPG)"
    assert source.closed


def test_camera_without_a_frame_is_an_error_and_is_closed(clock) -> None:
    source = Ticking(clock, None, 0.1)
    with pytest.raises(SourceError, match="/dev/video0: it opens but delivers no frames"):
        probe(CameraSettings(source=0), lambda _: source, clock)
    assert source.closed


def test_network_camera_without_a_frame_is_not_reported_as_in_use(clock, image) -> None:
    with pytest.raises(SourceError, match=r"it opens but delivers no frames$"):
        probe(CameraSettings(source="http://camera/"), lambda _: Ticking(clock, None, 0.1), clock)


def test_password_is_not_in_the_line(clock, image) -> None:
    source = Ticking(clock, image(1), 0.1)
    line = probe(CameraSettings(source="rtsp://anna:geheim@camera/live"), lambda _: source, clock)
    assert "geheim" not in line
    assert "rtsp://***@camera/live" in line
