"""Kinds of sources, parsing of addresses, and redaction."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.capture.camera import CaptureThread, LatestFrame
from fer_edge.capture.uri import Kind, device_path, kind_of, parse_address, redact
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (0, Kind.V4L2),
        ("2", Kind.V4L2),
        ("/dev/video1", Kind.V4L2),
        ("/dev/v4l/by-id/usb-Some_CaptureThread-video-index0", Kind.V4L2),
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


FORMS = [
    "rtsp://anna:geheim@10.0.0.2:554/live",
    "rtsp://anna:ge@geheim@10.0.0.2/live",
    "rtsp://anna:x/geheim@10.0.0.2/live",
    "rtsp://anna:geheim?x@10.0.0.2/live",
    "rtsp://anna:p#geheim@10.0.0.2/live",
    "rtsp://anna:correct geheim@10.0.0.2/live",
    "rtsp://anna:x geheim/y@10.0.0.2/live",
    "rtsp://anna:1234/geheim@10.0.0.2/live",
    "rtsp://anna:a@b/geheim@10.0.0.2/live",
    "rtsp://anna:geheim",
    "rtsp://geheim@10.0.0.2",
    "rtsp://anna:geheim\x1b[2J@10.0.0.2",
    "http://10.0.0.2/video?user=anna&pw=geheim",
    "http://10.0.0.2/video?password=ge geheim",
    "http://10.0.0.2/p=geheim",
    "http://10.0.0.2/video#geheim",
    "http://10.0.0.2/a;k:geheim/video",
    "rtsp://10.0.0.2/user=anna_password=geheim_channel=1",
    "https://10.0.0.2/../token=geheim/video",
    "rtsps://10.0.0.2:7441/geheim4tQx81LkMz",
    "ftp://anna:geheim@10.0.0.2/",
    "http:/anna:geheim@10.0.0.2",
    "http:anna:geheim@10.0.0.2",
    "rtsp//anna:geheim@10.0.0.2",
    "rtsp:\\\\anna:geheim@10.0.0.2",
    "anna:geheim@10.0.0.2",
    "//anna:geheim@10.0.0.2/live",
    '"rtsp://anna:geheim@10.0.0.2"',
    "two: rtsp://a:geheim@h/x http://b:geheim@i/y",
]


@pytest.mark.parametrize("url", FORMS)
def test_password_of_any_form_of_address_is_never_shown(url: str) -> None:
    assert "geheim" not in redact(url)
    assert "1234" not in redact(url)
    for function in (kind_of, parse_address):
        assert "geheim" not in outcome(function, url)


@pytest.mark.parametrize("url", FORMS)
def test_password_is_in_no_log_and_no_state_of_a_camera_that_cannot_be_opened(url: str, caplog, clock) -> None:
    caplog.set_level(logging.DEBUG)
    settings = CameraSettings(source=url.replace("10.0.0.2", "127.0.0.1").replace("@h/x", "@127.0.0.1/x"))
    camera = CaptureThread(settings, LatestFrame(), clock=clock, wait=lambda _: camera.stop())
    try:
        camera.run()
        shown = repr(camera.state(clock.now))
    except UnusableSource as error:
        shown = str(error)
    assert shown.isprintable()
    assert "geheim" not in shown + caplog.text


def outcome(function: Callable[[str], object], url: str) -> str:
    try:
        return repr(function(url))
    except SourceError as error:
        return str(error)


def test_what_is_not_secret_stays_readable() -> None:
    assert redact("rtsp://anna:geheim@10.0.0.2:554/live/1") == "rtsp://***@10.0.0.2:554/live/1"
    assert redact("http://10.0.0.2:8080/video") == "http://10.0.0.2:8080/video"
    assert redact("HTTP://[fe80::1]:8080/cgi-bin/video.cgi?x=1") == "HTTP://[fe80::1]:8080/cgi-bin/video.cgi?***"
    assert redact("rtsp://10.0.0.2/Streaming/Channels/101") == "rtsp://10.0.0.2/Streaming/Channels/101"
    assert redact("rtsp://10.0.0.2/h264Preview_01_main") == "rtsp://10.0.0.2/h264Preview_01_main"
    assert redact("/dev/video0") == "/dev/video0"
    assert redact("films/me@home.mp4") == "films/me@home.mp4"


def test_file_with_a_name_like_an_address_is_a_file_where_it_is_there(tmp_path: Path) -> None:
    film = tmp_path / "a:b@c.mp4"
    with pytest.raises(UnusableSource, match="not an address"):
        kind_of(str(film))
    film.touch()
    assert kind_of(str(film)) is Kind.VIDEO
    assert redact(str(film)) == str(film)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("rtsp://anna:ge%40heim@cam:554/live", "rtsp://anna:ge%40heim@cam/live"),
        ("rtsp://anna:correct horse@cam/live", "rtsp://anna:correct%20horse@cam/live"),
        ("http://joe:p#ss@127.0.0.1:22221/plain", "http://joe:p%23ss@127.0.0.1:22221/plain"),
        ("rtsp://anna:a/b?c@cam", "rtsp://anna:a%2Fb%3Fc@cam/"),
        ("rtsp://anna:a@b:c@cam/x", "rtsp://anna:a%40b%3Ac@cam/x"),
        ("HTTPS://cam/a b?c=d e&f=%20#g", "https://cam/a%20b?c=d%20e&f=%20"),
        ("http://[::1]:8080?x", "http://[::1]:8080/?x"),
        ("http://k\u00fcche.local/", "http://xn--kche-0ra.local/"),
        ("http://cam/video@2x", "http://cam/video@2x"),
    ],
)
def test_address_is_read_as_people_write_it(source: str, url: str) -> None:
    assert parse_address(source).url(login=True) == url


@pytest.mark.parametrize("url", ["rtsp://", "http:///video", "rtsp://camera:port/x", "rtsp://h:99999/", "rtsp://a b/"])
def test_invalid_address_is_reported_in_one_line(url: str) -> None:
    with pytest.raises(SourceError, match="not an address: check host and port"):
        parse_address(url)


@pytest.mark.parametrize("host", ["192.168..20", "a" * 64])
def test_name_that_can_be_no_name_is_an_unknown_host(host: str) -> None:
    with pytest.raises(SourceError, match="no such host"):
        parse_address(f"rtsp://{host}/live")
