"""Quality filter: faces that are too small, dark, blurred or outside, and faces that pass."""

import numpy as np
import pytest

from fer_edge.config.model import GateSettings
from fer_edge.types import Box, RejectReason
from fer_edge.vision.quality import brightness, pixel_flaw, placement_flaw, quality_of, sharpness

GATES = GateSettings(min_width_px=30, min_brightness=40.0, min_sharpness=10.0, min_inside=0.75)


@pytest.mark.parametrize(
    ("box", "flaw"),
    [
        (Box(100, 100, 30, 40), None),
        (Box(100, 100, 29.9, 40), RejectReason.TOO_SMALL),
        (Box(-25, 100, 100, 100), None),
        (Box(-26, 100, 100, 100), RejectReason.OUTSIDE),
        (Box(100, -60, 100, 100), RejectReason.OUTSIDE),
        (Box(700, 100, 100, 100), RejectReason.OUTSIDE),
        (Box(635, 100, 20, 20), RejectReason.OUTSIDE),  # small as well: the position is checked first
        (Box(100, 100, 0, 0), RejectReason.OUTSIDE),
    ],
)
def test_where_a_face_lies_and_how_large_it_is(box: Box, flaw: RejectReason | None):
    assert placement_flaw(box, 640, 480, GATES) is flaw


def test_a_face_is_dark_below_its_mean_grey():
    stripes = np.zeros((48, 48), np.uint8)
    stripes[::2] = 80  # mean 40
    assert brightness(stripes) == 40.0
    assert pixel_flaw(quality_of(stripes), GATES) is None
    stripes[0, 0] = 0
    assert pixel_flaw(quality_of(stripes), GATES) is RejectReason.DARK


def test_an_even_face_is_blurred_and_dark_comes_first():
    assert pixel_flaw(quality_of(np.full((48, 48), 128, np.uint8)), GATES) is RejectReason.BLURRED
    assert pixel_flaw(quality_of(np.full((48, 48), 10, np.uint8)), GATES) is RejectReason.DARK


def test_sharpness_is_the_variance_of_the_laplacian():
    """One bright pixel of 10: the Laplacian is -40 there and 10 at its four neighbours, its mean is 0."""
    face = np.zeros((48, 48), np.uint8)
    face[20, 20] = 10
    assert sharpness(face) == pytest.approx((1600 + 4 * 100) / 48**2)


def test_a_threshold_of_nought_lets_every_blur_pass():
    even = np.full((48, 48), 128, np.uint8)
    assert pixel_flaw(quality_of(even), GateSettings(min_sharpness=0.0)) is None


def test_sharpness_is_measured_at_one_size_whatever_the_network_takes():
    coarse = np.random.default_rng(1).integers(0, 256, (48, 48), dtype=np.uint8)
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1)
    assert sharpness(fine) == sharpness(coarse)
