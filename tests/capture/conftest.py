"""Fixtures of the capture tests: a manual clock, numbered frames, real files."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.types import Image
from tests.servers.http_camera import Answer, HttpCamera

WIDTH, HEIGHT = 96, 64


def make_image(number: int, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """A frame whose brightness encodes its number (0 to 15), also after lossy compression."""
    return np.full((height, width, 3), 8 + 16 * number, np.uint8)


@pytest.fixture
def image() -> Callable[..., Image]:
    return make_image


@pytest.fixture
def number_of() -> Callable[[Image], int]:
    """The number of a frame made by `frame`."""
    return lambda image: round((float(image.mean()) - 8) / 16)


class ManualClock:
    """Monotonic clock that advances only by waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Ten frames at 10 per second, numbered 0 to 9."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(10):
        writer.write(make_image(number))
    writer.release()
    return path


@pytest.fixture
def uneven_film(tmp_path: Path) -> tuple[Path, list[float]]:
    """A film whose frames last 0.1, 0.1, 0.5, 0.05 and 0.2 s, and the media times that follow from this."""
    if not (hasattr(cv2, "Animation") and cv2.haveImageWriter("uneven.gif")):
        pytest.skip("OpenCV writes animated GIF since 4.12")
    animation = cv2.Animation()
    animation.frames = [make_image(number) for number in range(5)]
    animation.durations = np.array([100, 100, 500, 50, 200])
    path = tmp_path / "uneven.gif"
    assert cv2.imwriteanimation(str(path), animation)
    return path, [0.0, 0.1, 0.2, 0.7, 0.75]


@pytest.fixture
def http_camera() -> Iterator[Callable[..., HttpCamera]]:
    """Start a camera that sends a given response."""
    cameras: list[HttpCamera] = []

    def start(answer: Answer, context: ssl.SSLContext | None = None) -> HttpCamera:
        cameras.append(HttpCamera(answer, context))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.close()
