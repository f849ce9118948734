"""Batches of scenes: sizes, ranges, and that they can be made again."""

import numpy as np

from converter.detector.synthesis import LARGER_EVERY, Gallery, Scenes, inputs
from tests.converter.detector.conftest import empty, painted


def scenes(steps: int = LARGER_EVERY) -> Scenes:
    return Scenes(Gallery([painted(), empty()]), [], 64, 96, 8, steps, 5)


def test_a_batch_has_pictures_and_their_targets():
    pictures, wanted = scenes().made(0, 0)
    assert pictures.shape == (8, 64, 96, 3)
    assert wanted.shape == (8, 8, 12, 6)
    assert pictures.dtype == wanted.dtype == np.float32
    assert pictures.min() >= -1
    assert pictures.max() < 1


def test_every_sixth_batch_has_a_quarter_of_the_pictures_of_twice_the_sides():
    pictures, wanted = scenes().made(0, LARGER_EVERY - 1)
    assert pictures.shape == (2, 128, 192, 3)
    assert wanted.shape == (2, 16, 24, 6)


def test_pixels_become_their_distance_from_128():
    assert inputs(np.array([[[[0, 128, 255]]]], np.uint8)).tolist() == [[[[-1.0, 0.0, 127 / 128]]]]


def test_a_stream_that_is_taken_up_gives_what_the_whole_one_gave():
    whole = list(scenes(3).stream(0, 2, workers=2))
    rest = list(scenes(3).stream(1, 2))
    assert len(whole) == 6
    for (pictures, wanted), (again, wanted_again) in zip(whole[3:], rest, strict=True):
        assert (pictures == again).all()
        assert (wanted == wanted_again).all()


def test_no_two_batches_of_a_run_are_alike():
    made = scenes(3)
    assert (made.made(0, 0)[0] != made.made(1, 0)[0]).any()
    assert (made.made(0, 0)[0] != made.made(0, 1)[0]).any()
