"""The one encoder for all watchers."""

import threading

import cv2
import numpy as np
import pytest

from fer_edge.events.lifecycle import Decision
from fer_edge.types import Frame
from fer_edge.web.stream import MjpegEncoder


def jpeg_of(part: bytes) -> np.ndarray:
    head, _, rest = part.partition(b"\r\n\r\n")
    length = int(head.rpartition(b"Content-Length: ")[2])
    assert rest[length:].startswith(b"\r\n--fer-edge-picture")
    picture = cv2.imdecode(np.frombuffer(rest[:length], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_nothing_is_encoded_while_nobody_watches(play) -> None:
    one = play()
    pictures = MjpegEncoder(one.stage, rate_hz=1000.0, width_px=960)
    pictures.start()
    one.show(1.0, "happy")
    assert pictures.encoded == 0
    stream = pictures.watch()
    assert next(stream).startswith(b"--fer-edge-picture")
    assert jpeg_of(next(stream)).shape == (120, 160, 3)
    assert pictures.encoded >= 1
    stream.close()
    settled = pictures.encoded + 1  # one may have been under way when the watcher left
    one.show(1.0, "sad")
    assert pictures.encoded <= settled
    pictures.stop()


def test_five_watchers_share_what_is_encoded_once(play) -> None:
    one = play().show(0.5, "happy")
    pictures = MjpegEncoder(one.stage, rate_hz=1000.0, width_px=960)
    streams = [pictures.watch() for _ in range(5)]
    for stream in streams:
        next(stream)
    pictures.start()
    assert len({next(stream) for stream in streams}) == 1
    assert pictures.encoded == 1
    pictures.stop()


def test_wide_picture_is_reduced_and_its_boxes_with_it(play) -> None:
    one = play().show(0.5, "happy")
    pictures = MjpegEncoder(one.stage, rate_hz=1000.0, width_px=80)
    pictures.start()
    stream = pictures.watch()
    next(stream)
    picture = jpeg_of(next(stream))
    assert picture.shape == (60, 80, 3)
    assert np.ptp(picture.astype(int), axis=2).max() > 60  # the face's mark is in it: the picture itself is grey
    pictures.stop()


def test_lost_camera_is_said_in_place_of_the_picture(play) -> None:
    one = play().show(0.5, "happy")
    pictures = MjpegEncoder(one.stage, rate_hz=1000.0, width_px=960)
    pictures.start()
    stream = pictures.watch()
    next(stream)
    next(stream)
    one.stage.states("lost", "it was unplugged", "connected", connected=True)
    assert jpeg_of(next(stream)).shape == (360, 640, 3)
    pictures.stop()


def test_streams_end_when_the_daemon_does(play) -> None:
    one = play().show(0.5, "happy")
    pictures = MjpegEncoder(one.stage, rate_hz=1000.0, width_px=960)
    pictures.start()
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.extend(pictures.watch()))
    reader.start()
    pictures.stop()
    reader.join(20)
    assert not reader.is_alive()


def test_failure_of_the_encoder_reaches_the_main_loop(play) -> None:
    one = play().show(0.5, "happy")
    pictures = MjpegEncoder(one.stage, rate_hz=1000.0, width_px=960)
    pictures.start()
    stream = pictures.watch()
    next(stream)
    next(stream)
    pictures.check()
    one.stage.on_frame(Frame(np.zeros((0, 0, 3), np.uint8), 1.0, 99), (), Decision((), (), ()), 1.0)
    pictures._thread.join(20)
    with pytest.raises(cv2.error):
        pictures.check()
    pictures.stop()
