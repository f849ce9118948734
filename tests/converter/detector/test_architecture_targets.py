"""Training targets of a picture, worked out by hand on cells of 8 pixels."""

import numpy as np
import pytest

from converter.detector.architecture import targets

NOWHERE = np.zeros((0, 4), np.float32)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_a_picture_without_faces_asks_every_cell_to_say_no():
    wanted = targets(NOWHERE, NOWHERE, 32, 64)
    assert wanted.shape == (4, 8, 6)
    assert (wanted[..., 0] == 0).all()
    assert (wanted[..., 1] == 1).all()


def test_a_small_face_belongs_to_the_cell_with_its_centre_and_its_sides_are_counted_from_there():
    wanted = targets(boxes((15, 7, 27, 21)), NOWHERE, 32, 64)  # centre 21, 14: column 2 (centre 20), row 1 (12)
    assert np.argwhere(wanted[..., 0] == 1).tolist() == [[1, 2]]
    assert np.exp(wanted[1, 2, 2:]) * 8 == pytest.approx([5, 5, 7, 9])
    assert wanted[1, 2, 1] == 1


def test_cells_round_the_middle_of_a_face_have_no_weight_and_those_far_from_it_are_negative():
    # A face of 40: middle within 7.2 of its centre at 36, 36, unsure within 14.
    wanted = targets(boxes((16, 16, 56, 56)), NOWHERE, 72, 72)
    assert np.argwhere(wanted[..., 0] == 1).tolist() == [[4, 4]]
    labelled = wanted[..., 1] > 0
    assert not labelled[3, 4]
    assert not labelled[4, 5]
    assert labelled[2, 4]
    assert labelled[4, 6]


def test_a_large_face_has_more_cells_that_together_count_the_root_of_their_number():
    wanted = targets(boxes((0, 0, 96, 96)), NOWHERE, 96, 96)  # middle within 17.28 of 48: cells at 36, 44, 52, 60
    face = wanted[..., 0] == 1
    assert face.sum() == 16
    assert wanted[face][:, 1].sum() == pytest.approx(4.0)


def test_where_faces_overlap_the_smaller_one_has_the_cell_in_any_order():
    large, small = (0, 0, 80, 80), (40, 40, 48, 48)  # the small one's centre, 44, is in the middle of the large one
    for faces in (boxes(large, small), boxes(small, large)):
        wanted = targets(faces, NOWHERE, 80, 80)
        assert np.exp(wanted[5, 5, 2:]) * 8 == pytest.approx([4, 4, 4, 4])
        assert np.exp(wanted[4, 4, 2:]) * 8 == pytest.approx([36, 36, 44, 44])


def test_ignored_cells_have_no_weight_but_a_face_in_them_has():
    ignored = boxes((0, 0, 32, 32))
    wanted = targets(boxes((8, 8, 16, 16)), ignored, 64, 64)
    assert wanted[1, 1, 0] == 1
    assert wanted[1, 1, 1] == 1
    assert wanted[3, 3, 1] == 0
    assert wanted[6, 6, 1] == 1


def test_a_face_that_lies_beside_its_cells_centre_still_has_sides():
    wanted = targets(boxes((1, 1, 4, 4)), NOWHERE, 32, 32)  # the cell's centre is its corner
    assert wanted[0, 0, 0] == 1
    assert np.isfinite(wanted).all()
