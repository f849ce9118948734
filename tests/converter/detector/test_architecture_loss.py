"""The loss of single cells, worked out by hand, on whichever backend Keras has."""

import math

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from converter.detector.architecture import BOXES, FACES, detection_loss  # noqa: E402  only where Keras is

LOG2 = math.log(2)


def loss(wanted: list[list[float]], said: list[list[float]]) -> float:
    """Outputs for a picture of one row of cells."""
    arrays = (np.array([[cells]], np.float32) for cells in (wanted, said))
    return float(keras.ops.convert_to_numpy(detection_loss(*(keras.ops.convert_to_tensor(one) for one in arrays))))


NO = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
FACE = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]  # reaches one cell to each side
NOTHING_ASKED = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_what_is_right_and_sure_costs_next_to_nothing():
    assert loss([FACE, NO], [[6, 3, 3, 3, 3], [0, 3, 3, 3, 3]]) == pytest.approx(0, abs=1e-6)


def test_a_face_that_is_half_believed_costs_a_quarter_of_log_two_times_its_share():
    assert loss([FACE], [[3, 3, 3, 3, 3]]) == pytest.approx(FACES * 0.25 * LOG2, rel=1e-5)


def test_what_is_none_and_half_believed_costs_the_other_share():
    assert loss([NO], [[3, 0, 0, 0, 0]]) == pytest.approx((1 - FACES) * 0.25 * LOG2, rel=1e-5)


def test_a_box_of_half_the_area_costs_half():
    # Twice as far to the right: a box of 2 x 2 in one of 3 x 2 cells shares two thirds.
    said = [6, 3, 3, 3 + LOG2, 3]
    assert loss([FACE], [said]) == pytest.approx(BOXES / 3, rel=1e-4)


def test_boxes_of_cells_that_are_no_face_do_not_matter():
    assert loss([FACE, NO], [[6, 3, 3, 3, 3], [0, 6, 0, 6, 0]]) == pytest.approx(0, abs=1e-6)


def test_cells_without_weight_cost_nothing():
    assert loss([FACE, NOTHING_ASKED], [[6, 3, 3, 3, 3], [6, 0, 0, 0, 0]]) == pytest.approx(0, abs=1e-6)


def test_twice_the_faces_with_the_same_mistake_cost_the_same():
    one, two = loss([FACE], [[3, 3, 3, 3, 3]]), loss([FACE, FACE], [[3, 3, 3, 3, 3]] * 2)
    assert two == pytest.approx(one, rel=1e-5)
