"""All frames leave as BGR, 8 bits, the right way up."""

import numpy as np
import pytest

from fer_edge.capture.opencv import upright


def test_bgr_is_passed_on_without_a_copy(image) -> None:
    image = image(3)
    assert upright(image, 0) is image


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1)])
def test_grey_becomes_three_equal_channels(shape) -> None:
    image = upright(np.full(shape, 77, np.uint8), 0)
    assert image.shape == (4, 6, 3)
    assert (image == 77).all()


def test_alpha_is_dropped_and_the_order_of_colours_kept() -> None:
    image = upright(np.full((4, 6, 4), (10, 20, 30, 40), np.uint8), 0)
    assert image.shape == (4, 6, 3)
    assert image[0, 0].tolist() == [10, 20, 30]


def test_sixteen_bits_become_their_upper_eight() -> None:
    image = upright(np.full((4, 6), 0x1234, np.uint16), 0)
    assert image.dtype == np.uint8
    assert (image == 0x12).all()


@pytest.mark.parametrize(("rotate", "corner"), [(0, (0, 0)), (90, (0, 3)), (180, (3, 5)), (270, (5, 0))])
def test_frame_is_turned_clockwise(rotate: int, corner: tuple[int, int]) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 0] = 200  # the upper left corner
    turned = upright(image, rotate)
    assert turned.shape == ((4, 6, 3) if rotate in (0, 180) else (6, 4, 3))
    assert turned[corner].tolist() == [200, 200, 200]
    assert turned.sum() == 600
