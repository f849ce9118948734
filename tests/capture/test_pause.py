"""A pause closes the camera and delivers no later frame."""

import time
from collections.abc import Iterator
from threading import Event

import pytest

from fer_edge.capture.camera import STILL_READING, Camera, LatestFrame
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.config.model import CameraSettings
from fer_edge.types import Image

TIMEOUT_S = 10.0


class Webcam:
    """Live source: a frame every few milliseconds, or a read that hangs until released."""

    live = True
    rate_hz = None
    format = "test"

    def __init__(self, images: list[Image]) -> None:
        self._images = images
        self._count = 0
        self.hang, self.hanging, self.release = Event(), Event(), Event()
        self.closed = Event()

    def read(self) -> Image | None:
        if self.hang.is_set():
            self.hanging.set()
            self.release.wait(TIMEOUT_S)
        time.sleep(0.005)  # a camera's own pace
        self._count += 1
        return self._images[self._count % len(self._images)].copy()

    def close(self) -> None:
        self.closed.set()


class Setup:
    """A camera with webcams that are created when opened."""

    def __init__(self, images: list[Image], *, paused: bool = False) -> None:
        self.opened: list[Webcam] = []
        self.latest_frame = LatestFrame()
        self._images = images
        self.capture = Camera(
            CameraSettings(), self.latest_frame, opener=self._open, paused=paused, now=time.monotonic()
        )
        self.capture.start()

    def phase(self) -> CameraPhase:
        self.capture.check()
        return self.capture.state(time.monotonic()).phase

    def _open(self, _settings: CameraSettings) -> Webcam:
        self.opened.append(Webcam(self._images))
        return self.opened[-1]


@pytest.fixture
def setup(image) -> Iterator[Setup]:
    one = Setup([image(0), image(1)])
    yield one
    for webcam in one.opened:
        webcam.release.set()
    one.capture.stop()


def test_pause_closes_the_camera_and_discards_the_waiting_frame(setup) -> None:
    assert setup.latest_frame.take(TIMEOUT_S) is not None
    setup.capture.pause(7.0)
    assert setup.opened[0].closed.is_set()
    assert setup.latest_frame.take(0.05) is None
    state = setup.capture.state(9.0)
    assert (state.phase, state.since, state.reason) == (CameraPhase.PAUSED, 7.0, "")
    setup.capture.pause(8.0)
    assert setup.capture.state(9.0).since == 7.0, "a second call changes nothing"


def test_resume_opens_it_anew_and_frames_come_again(setup) -> None:
    assert setup.latest_frame.take(TIMEOUT_S) is not None
    setup.capture.resume()
    assert len(setup.opened) == 1, "it was not paused"
    setup.capture.pause(7.0)
    setup.capture.resume()
    assert not setup.capture.paused
    assert setup.latest_frame.take(TIMEOUT_S) is not None
    assert len(setup.opened) == 2
    assert setup.phase() is CameraPhase.RUNNING


def test_camera_that_starts_paused_is_not_opened_before_resume(image) -> None:
    setup = Setup([image(0), image(1)], paused=True)
    assert setup.latest_frame.take(0.05) is None
    assert setup.opened == []
    assert setup.phase() is CameraPhase.PAUSED
    setup.capture.resume()
    assert setup.latest_frame.take(TIMEOUT_S) is not None
    setup.capture.stop()


def test_frame_of_a_read_that_hung_through_the_pause_is_not_used(setup) -> None:
    assert setup.latest_frame.take(TIMEOUT_S) is not None
    webcam = setup.opened[0]
    webcam.hang.set()
    assert webcam.hanging.wait(TIMEOUT_S)
    setup.capture.pause(7.0)
    assert setup.capture.state(9.0).reason == STILL_READING
    assert not webcam.closed.is_set()
    webcam.release.set()
    assert webcam.closed.wait(TIMEOUT_S)
    assert setup.latest_frame.take(0.05) is None
    deadline = time.monotonic() + TIMEOUT_S
    while setup.capture.state(9.0).reason:  # the thread needs a moment more to end
        assert time.monotonic() < deadline
        time.sleep(0.01)
