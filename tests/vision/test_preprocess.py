"""Preprocessing: position of the crop, borders, exact bytes."""

import hashlib

import cv2
import numpy as np
import pytest

from fer_edge.types import Box
from fer_edge.vision.preprocess import Crop, Region, face_pixels, face_region, resized

DIGESTS = [
    "cf02ebeac275124d",
    "d9d7d44187b23963",
    "e879a45e1988d11d",
    "a9dccf48dd66a7e5",
]  # x86 with AVX-512, with SSE2 only, without IPP


def test_the_square_has_the_longer_side_times_the_scale_and_lies_on_the_boxs_centre():
    assert face_region(Box(100, 50, 60, 80), Crop(scale=1.5, dy=0.0)) == Region(left=70, top=30, side=120)


def test_dy_moves_the_square_down_by_a_part_of_the_longer_side():
    assert face_region(Box(100, 50, 60, 80), Crop(scale=1.0, dy=0.25)) == Region(left=90, top=70, side=80)


def test_an_empty_box_still_gives_a_pixel():
    region = face_region(Box(10, 10, 0, 0), Crop(1.0, 0.0))
    assert region.side == 1
    assert face_pixels(np.full((20, 20, 3), 7, np.uint8), region, 8, 8).tolist() == [[7] * 8] * 8


def test_colour_becomes_grey_by_the_weights_of_bt601():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:] = (200, 100, 50)  # blue, green, red
    grey = 0.114 * 200 + 0.587 * 100 + 0.299 * 50  # 96.45
    assert face_pixels(image, Region(0, 0, 8), 8, 8)[3, 3] == round(grey)


def test_a_grey_frame_is_taken_as_it_is():
    sheet = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(face_pixels(sheet, Region(2, 4, 4), 4, 4), sheet[4:8, 2:6])


def test_outside_the_frame_the_nearest_border_pixel_is_repeated():
    sheet = np.array([[10, 20], [30, 40]], np.uint8)
    assert face_pixels(sheet, Region(left=-1, top=-1, side=4), 4, 4).tolist() == [
        [10, 10, 20, 20],
        [10, 10, 20, 20],
        [30, 30, 40, 40],
        [30, 30, 40, 40],
    ]


@pytest.mark.parametrize("region", [Region(-50, -50, 10), Region(500, 3, 10), Region(3, 500, 10)])
def test_a_square_wholly_outside_gives_border_pixels_and_no_error(region):
    face = face_pixels(np.full((20, 30, 3), 9, np.uint8), region, 8, 8)
    assert face.shape == (8, 8)
    assert face.max() == face.min() == 9


@pytest.mark.parametrize("corner", [(-20, -20), (-20, 5), (5, -20), (15, 15)])
def test_leaving_the_frame_is_the_same_as_lying_in_a_frame_with_a_replicated_border(corner):
    image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    padded = cv2.copyMakeBorder(image, 50, 50, 50, 50, cv2.BORDER_REPLICATE)
    left, top = corner
    outside = face_pixels(image, Region(left, top, 33), 16, 16)
    assert np.array_equal(outside, face_pixels(padded, Region(left + 50, top + 50, 33), 16, 16))


def test_the_frame_is_not_written_to():
    image = np.random.default_rng(2).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    image.setflags(write=False)
    face_pixels(image, Region(3, 3, 30), 16, 16)


def test_a_face_of_the_right_size_keeps_every_pixel():
    face = np.random.default_rng(3).integers(0, 256, (48, 48), dtype=np.uint8)
    assert np.array_equal(resized(face, 48, 48), face)


def test_a_face_twice_too_large_gives_the_rounded_mean_of_each_two_by_two():
    face = np.array([[0, 1, 10, 20], [2, 3, 30, 40], [255, 255, 0, 0], [255, 255, 0, 1]], np.uint8)
    assert resized(face, 2, 2).tolist() == [[2, 25], [255, 0]]  # 6/4 = 1.5 -> 2, 100/4, 255, 1/4


def test_a_checkerboard_far_too_fine_becomes_grey_and_does_not_alias():
    board = (np.indices((480, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = resized(board, 48, 48)
    assert small.min() >= 127
    assert small.max() <= 128


@pytest.mark.parametrize("side", [20, 47, 49, 63, 95, 96, 97, 200, 401])
def test_a_smooth_ramp_stays_a_ramp_at_every_size(side):
    ramp = np.tile(np.linspace(0, 255, side).round().astype(np.uint8), (side, 1))
    small = resized(ramp, 48, 48).astype(int)
    expected = np.linspace(0, 255, 48)
    assert small.shape == (48, 48)
    assert np.abs(small - expected).max() <= 255 / min(side, 48) + 4  # a pixel of the coarser frame
    assert (np.diff(small[0]) >= 0).all()


def test_the_bytes_are_those_that_every_machine_gives():
    """Guards against an interpolation that depends on the processor: training and edge would see different faces."""
    noise = ((np.arange(101 * 101, dtype=np.uint64) * 2654435761 >> np.uint64(7)) % 256).astype(np.uint8)
    noise = noise.reshape(101, 101)
    digests = [hashlib.sha256(resized(noise[:side, :side], 48, 48)).hexdigest()[:16] for side in (101, 96, 70, 30)]
    assert digests == DIGESTS
