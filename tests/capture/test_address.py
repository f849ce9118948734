"""What a source is, and that nothing secret of it is ever written."""

from pathlib import Path

import pytest

from fer_edge.capture.address import Kind, device_path, kind_of, redact
from fer_edge.errors import UnusableSource


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (0, Kind.V4L2),
        ("2", Kind.V4L2),
        ("/dev/video1", Kind.V4L2),
        ("/dev/v4l/by-id/usb-Some_Camera-video-index0", Kind.V4L2),
        ("rtsp://camera/stream", Kind.STREAM),
        ("RTSP://camera/stream", Kind.STREAM),
        ("https://camera:8443/video", Kind.STREAM),
        ("picamera", Kind.PICAMERA),
        ("film.mp4", Kind.VIDEO),
        ("no/such/folder", Kind.VIDEO),
        ("portrait.JPG", Kind.IMAGES),
        ("x" * 5000, Kind.VIDEO),
    ],
)
def test_kind_follows_from_the_form_of_the_source(source: str | int, kind: Kind) -> None:
    assert kind_of(source) is kind


def test_folder_is_a_folder_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "holiday.mp4"
    folder.mkdir()
    assert kind_of(str(folder)) is Kind.IMAGES


@pytest.mark.parametrize("source", ["ftp://camera/x", "file:///x.mp4", "", "  "])
def test_address_that_no_camera_has_is_refused(source: str) -> None:
    with pytest.raises(UnusableSource, match=r"rtsp:// or http://|is empty"):
        kind_of(source)


def test_index_and_path_name_the_same_device() -> None:
    assert device_path(3) == device_path("3") == device_path("/dev/video3") == "/dev/video3"


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://anna:geheim@10.0.0.2:554/live",
        "rtsp://anna:ge@geheim@10.0.0.2/live",
        "rtsp://anna:x/geheim@10.0.0.2/live",
        "rtsp://anna:geheim?x@10.0.0.2/live",
        "http://10.0.0.2/video?user=anna&pw=geheim",
        "rtsp://10.0.0.2/user=anna_password=geheim_channel=1",
        "https://10.0.0.2/geheim/../token=geheim/video".replace("geheim/..", ".."),
        "two: rtsp://a:geheim@h/x http://b:geheim@i/y",
    ],
)
def test_password_never_shows(url: str) -> None:
    assert "geheim" not in redact(url)


def test_what_is_not_secret_stays_readable() -> None:
    assert redact("rtsp://anna:geheim@10.0.0.2:554/live/1") == "rtsp://***@10.0.0.2:554/live/1"
    assert redact("http://10.0.0.2:8080/video") == "http://10.0.0.2:8080/video"
    assert redact("/dev/video0") == "/dev/video0"
    assert redact("films/me@home.mp4") == "films/me@home.mp4"
