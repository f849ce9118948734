"""V4L2 cameras, as far as testable without one."""

import pytest

from fer_edge.capture.v4l2 import V4l2Camera, needs_mjpg
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource


@pytest.mark.parametrize(
    ("width", "height", "rate_hz", "expected"),
    [
        (640, 480, 15.0, False),  # 9.2 MB/s uncompressed
        (640, 480, 30.0, False),  # 18.4 MB/s: what every webcam has
        (640, 480, 60.0, True),  # 36.9 MB/s
        (1280, 720, 10.0, False),  # 18.4 MB/s: what webcams offer uncompressed
        (1280, 720, 15.0, True),  # 27.6 MB/s
        (1920, 1080, 5.0, True),  # 20.7 MB/s
    ],
)
def test_compressed_frames_are_asked_for_only_where_usb_2_does_not_carry_the_others(
    width, height, rate_hz, expected
) -> None:
    assert needs_mjpg(width, height, rate_hz) is expected


def test_missing_camera_may_come_back_so_it_is_no_final_error(capfd) -> None:
    with pytest.raises(SourceError, match="/dev/video987: no such camera") as caught:
        V4l2Camera(CameraSettings(source=987))
    assert not isinstance(caught.value, UnusableSource)
    assert capfd.readouterr() == ("", "")
