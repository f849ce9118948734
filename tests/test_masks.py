"""Privacy masks: black inside the zones, unchanged outside."""

import numpy as np
import pytest

from fer_edge.masks import PrivacyMask
from fer_edge.types import Box

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
TOP_HALF = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def white(width: int = 100, height: int = 60) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


@pytest.mark.parametrize(("width", "height"), [(100, 60), (101, 61), (1, 1), (3, 2), (1920, 1080)])
def test_zone_of_the_whole_frame_leaves_nothing_at_any_size(width: int, height: int) -> None:
    assert not PrivacyMask([WHOLE]).apply(white(width, height)).any()


def test_half_is_black_to_its_last_pixel_and_the_other_half_stays_but_for_the_edge() -> None:
    image = PrivacyMask([LEFT_HALF]).apply(white())
    assert not image[:, :50].any()
    assert (image[:, 53:] == 255).all()


def test_what_two_zones_cover_together_is_black_as_well() -> None:
    image = PrivacyMask([LEFT_HALF, TOP_HALF]).apply(white())
    assert not image[:30].any()
    assert not image[:, :50].any()
    assert (image[33:, 53:] == 255).all()


def test_slanted_zone_covers_every_pixel_whose_centre_is_in_it() -> None:
    triangle = ((0.1, 0.1), (0.9, 0.2), (0.4, 0.95))
    image = PrivacyMask([triangle]).apply(white(200, 200))
    rows, columns = np.mgrid[0:200, 0:200]
    x, y = (columns + 0.5) / 200, (rows + 0.5) / 200
    inside = np.ones((200, 200), bool)
    for (x1, y1), (x2, y2) in zip(triangle, triangle[1:] + triangle[:1], strict=True):
        inside &= (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) >= 0
    assert inside.sum() > 5000
    assert not image[inside].any()


def test_without_zones_the_frame_is_passed_on_untouched() -> None:
    image = white()
    assert PrivacyMask([]).apply(image) is image
    assert not PrivacyMask([])
    assert (image == 255).all()


def test_frame_that_may_not_be_written_is_copied() -> None:
    image = white()
    image.flags.writeable = False
    assert not PrivacyMask([WHOLE]).apply(image).any()
    assert (image == 255).all()
    turned = np.rot90(white())  # a view in another order
    assert not PrivacyMask([WHOLE]).apply(turned).any()


def test_share_of_a_box_is_counted_within_the_frame() -> None:
    zones = PrivacyMask([LEFT_HALF])
    assert zones.overlap(Box(0.1, 0.1, 0.2, 0.2)) == 1.0
    assert zones.overlap(Box(0.6, 0.1, 0.2, 0.2)) == 0.0
    assert zones.overlap(Box(0.4, 0.4, 0.2, 0.2)) == pytest.approx(0.5, abs=0.03)
    assert zones.overlap(Box(-0.5, 0.0, 1.5, 1.0)) == pytest.approx(0.5, abs=0.01)
    assert zones.overlap(Box(1.5, 1.5, 0.2, 0.2)) == 0.0
    assert PrivacyMask([]).overlap(Box(0.0, 0.0, 1.0, 1.0)) == 0.0
    assert PrivacyMask([LEFT_HALF, LEFT_HALF]).overlap(Box(0.1, 0.1, 0.2, 0.2)) == 1.0
