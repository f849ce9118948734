"""A pause closes the camera; no frame passes it, however late it comes."""

import time
from collections.abc import Iterator
from threading import Event

import pytest

from fer_edge.capture.camera import STILL_READING, Camera, LatestFrame
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.config.model import CameraSettings
from fer_edge.types import Image

GIVE_UP_S = 10.0


class Webcam:
    """A live source: a frame every few milliseconds, or a read that hangs until it is let go."""

    live = True
    rate_hz = None
    format = "test"

    def __init__(self, images: list[Image]) -> None:
        self._images = images
        self._given = 0
        self.hang, self.hanging, self.let_go = Event(), Event(), Event()
        self.closed = Event()

    def read(self) -> Image | None:
        if self.hang.is_set():
            self.hanging.set()
            self.let_go.wait(GIVE_UP_S)
        time.sleep(0.005)  # a camera's own pace
        self._given += 1
        return self._images[self._given % len(self._images)].copy()

    def close(self) -> None:
        self.closed.set()


class Room:
    """A capture before webcams that are made as they are opened."""

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
def room(image) -> Iterator[Room]:
    one = Room([image(0), image(1)])
    yield one
    for webcam in one.opened:
        webcam.let_go.set()
    one.capture.stop()


def test_pause_closes_the_camera_and_throws_away_the_frame_that_waits(room) -> None:
    assert room.latest_frame.take(GIVE_UP_S) is not None
    room.capture.pause(7.0)
    assert room.opened[0].closed.is_set()
    assert room.latest_frame.take(0.05) is None
    state = room.capture.state(9.0)
    assert (state.phase, state.since, state.reason) == (CameraPhase.PAUSED, 7.0, "")
    room.capture.pause(8.0)
    assert room.capture.state(9.0).since == 7.0, "a second call changes nothing"


def test_resume_opens_it_anew_and_frames_come_again(room) -> None:
    assert room.latest_frame.take(GIVE_UP_S) is not None
    room.capture.resume()
    assert len(room.opened) == 1, "it was not paused"
    room.capture.pause(7.0)
    room.capture.resume()
    assert not room.capture.paused
    assert room.latest_frame.take(GIVE_UP_S) is not None
    assert len(room.opened) == 2
    assert room.phase() is CameraPhase.RUNNING


def test_daemon_that_starts_paused_never_opens_the_camera_until_it_is_told(image) -> None:
    room = Room([image(0), image(1)], paused=True)
    assert room.latest_frame.take(0.05) is None
    assert room.opened == []
    assert room.phase() is CameraPhase.PAUSED
    room.capture.resume()
    assert room.latest_frame.take(GIVE_UP_S) is not None
    room.capture.stop()


def test_frame_of_a_read_that_hung_through_the_pause_is_not_used(room) -> None:
    assert room.latest_frame.take(GIVE_UP_S) is not None
    webcam = room.opened[0]
    webcam.hang.set()
    assert webcam.hanging.wait(GIVE_UP_S)
    room.capture.pause(7.0)
    assert room.capture.state(9.0).reason == STILL_READING
    assert not webcam.closed.is_set()
    webcam.let_go.set()
    assert webcam.closed.wait(GIVE_UP_S)
    assert room.latest_frame.take(0.05) is None
    deadline = time.monotonic() + GIVE_UP_S
    while room.capture.state(9.0).reason:  # the thread needs a moment more to end
        assert time.monotonic() < deadline
        time.sleep(0.01)
