"""Fallback to a second decoder if the first returns identical frames."""

import logging
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fer_edge.capture.decoders import IDENTICAL_FRAMES
from fer_edge.capture.network import FallbackStream, with_fallback
from fer_edge.capture.sources import open_source
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.types import Image


class FakeSource:
    """Source of these frames, then None."""

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


def test_second_decoder_takes_over_if_the_first_frames_are_identical(image, caplog) -> None:
    first = FakeSource([image(0)] * 50)
    second = FakeSource([image(number) for number in (3, 4)], "other")
    stream = FallbackStream(first, lambda: second, "rtsp://***@camera")
    with caplog.at_level(logging.INFO):
        images = [stream.read() for _ in range(IDENTICAL_FRAMES + 2)]
    assert [None if image is None else int(image[0, 0, 0]) for image in images] == [8] * (IDENTICAL_FRAMES - 1) + [
        56,
        72,
        None,
    ]
    assert (first.closed, second.closed, stream.format) == (True, False, "other")
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == ["camera rtsp://***@camera"]
    stream.close()
    assert second.closed


def test_second_decoder_with_identical_frames_is_kept(image) -> None:
    """Then it is the camera; the supervisor of the camera names it."""
    stream = FallbackStream(FakeSource([image(0)] * 50), lambda: FakeSource([image(0)] * 50), "camera")
    assert all(stream.read() is not None for _ in range(IDENTICAL_FRAMES + 40))


def test_stream_that_changes_keeps_its_decoder_also_when_it_freezes_later(image) -> None:
    def never() -> FakeSource:
        pytest.fail("opened a second decoder")

    first = FakeSource([image(0)] * (IDENTICAL_FRAMES - 1) + [image(1)] * 40)
    stream = FallbackStream(first, never, "camera")
    assert all(stream.read() is not None for _ in range(IDENTICAL_FRAMES + 30))


def test_second_decoder_that_cannot_be_opened_is_named(image) -> None:
    def refuse() -> FakeSource:
        raise SourceError("refused")

    stream = FallbackStream(FakeSource([image(0)] * 50), refuse, "camera")
    with pytest.raises(SourceError, match="refused"):
        [stream.read() for _ in range(IDENTICAL_FRAMES)]


@pytest.mark.parametrize(("source", "wrapped"), [("rtsp://h/a", True), ("RTSPS://h/a", True), ("http://h/a", False)])
def test_only_rtsp_has_a_fallback(source: str, wrapped: bool) -> None:  # noqa: FBT001
    first = FakeSource([])
    assert (with_fallback(first, CameraSettings(source=source)) is not first) is wrapped


PYTHON = "/usr/bin/python3"  # Debian's own has the GObject bindings
SERVER = Path(__file__).resolve().parents[1] / "servers" / "rtsp_server.py"
IMPORTS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; "
NEEDS = (
    IMPORTS
    + "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('x264enc', 'interlace', 'capssetter', 'rtph264pay')))"
)


@pytest.fixture
def camera() -> Iterator[str]:
    """The address of an RTSP camera that sends a white ball on black."""
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode:
        pytest.skip(
            "no RTSP: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,bad,ugly}"
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([PYTHON, str(SERVER), str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    yield f"rtsp://127.0.0.1:{port}"
    server.kill()
    server.communicate()


@pytest.mark.system
def test_interlaced_rtsp_camera_gives_frames_that_change(camera: str) -> None:
    source = open_source(CameraSettings(source=f"{camera}/interlaced"))
    images = [source.read() for _ in range(IDENTICAL_FRAMES + 10)]
    source.close()
    last = [image for image in images[IDENTICAL_FRAMES:] if image is not None]
    assert len(last) == 10
    assert all(image.shape == (240, 320, 3) and image.max() > 200 for image in last)  # the ball
    assert len({image.tobytes() for image in last}) > 5


@pytest.mark.system
@pytest.mark.parametrize(("path", "shape"), [("live", (240, 320, 3)), ("wide", (240, 427, 3))])
def test_pixels_of_an_rtsp_camera_are_made_square(camera: str, path: str, shape: tuple[int, int, int]) -> None:
    source = open_source(CameraSettings(source=f"{camera}/{path}"))
    image = source.read()
    source.close()
    assert image is not None
    assert image.shape == shape
    rows, columns = (image[:, :, 1] > 127).nonzero()[:2]
    assert abs((rows.max() - rows.min()) * shape[1] / 320 - (columns.max() - columns.min())) <= 3  # a ball as stored
