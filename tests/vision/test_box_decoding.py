"""Box decoding and weighted NMS, with hand-worked numbers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.vision.box_decoding import MOST_CANDIDATES, candidates, overlaps, weighted_nms


def nothing(rows: int = 4, columns: int = 5) -> NDArray[np.float32]:
    """Cells that all have the lowest score."""
    return np.zeros((rows, columns, 5), np.float32)


def test_a_cell_in_the_middle_of_its_range_has_logit_zero_and_reaches_one_cell_to_each_side():
    cells = nothing()
    cells[1, 2] = 3.0
    boxes, logits = candidates(cells, 0.0)
    assert logits.tolist() == [0.0]
    # The cell in row 1, column 2 has its centre at x = 20, y = 12.
    assert boxes.tolist() == [[12.0, 4.0, 28.0, 20.0]]


def test_each_side_has_its_own_reach_and_each_step_of_the_score_counts_four():
    cells = nothing()
    cells[0, 0] = [3.5, 3 + np.log(0.25), 3 + np.log(0.5), 3 + np.log(2), 3 + np.log(4)]
    boxes, logits = candidates(cells, 2.0)
    assert logits.tolist() == [2.0]
    assert boxes[0] == pytest.approx([4 - 2, 4 - 4, 4 + 16, 4 + 32], abs=1e-4)


def test_what_is_less_sure_than_asked_is_left_out_and_the_surest_comes_first():
    cells = nothing()
    cells[0, 0, 0], cells[1, 1, 0], cells[2, 2, 0] = 3.5, 4.0, 3.49
    boxes, logits = candidates(cells, 2.0)
    assert logits.tolist() == [4.0, 2.0]
    assert boxes[0].tolist() != boxes[1].tolist()


def test_no_face_is_no_box():
    boxes, logits = candidates(nothing(), -11.9)
    assert boxes.shape == (0, 4)
    assert logits.shape == (0,)
    assert [one.shape for one in weighted_nms(boxes, logits)] == [(0, 4), (0,)]


def test_a_network_with_faces_everywhere_takes_no_longer_than_a_crowd():
    boxes, logits = candidates(np.full((40, 40, 5), 6.0, np.float32), 0.0)
    assert len(boxes) == len(logits) == MOST_CANDIDATES


def test_overlap_is_shared_area_over_all_area():
    box = np.array([0, 0, 4, 4], np.float32)
    others = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [4, 0, 8, 4], [9, 9, 9, 9]], np.float32)
    # The second shares 2 x 4 of 16 + 16 - 8; the third touches; the last has no area.
    assert overlaps(box, others) == pytest.approx([1.0, 8 / 24, 0.0, 0.0])


def test_boxes_on_one_face_become_their_mean_by_score_with_the_highest_score():
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.9, 0.3, 0.2], np.float32)
    merged, best = weighted_nms(boxes, scores)
    # (0.9 * 0 + 0.3 * 2) / 1.2 = 0.5
    assert merged == pytest.approx(np.array([[0.5, 0, 10.5, 10], [50, 50, 60, 60]]), abs=1e-5)
    assert best == pytest.approx([0.9, 0.2])


def test_two_faces_side_by_side_stay_two():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], np.float32)  # a third of their area is shared
    merged, _ = weighted_nms(boxes, np.array([0.9, 0.8], np.float32))
    assert merged.tolist() == boxes.tolist()
    merged, _ = weighted_nms(boxes, np.array([0.9, 0.8], np.float32), iou=0.3)
    assert len(merged) == 1


def test_a_chain_of_boxes_is_cut_where_it_leaves_the_surest():
    """The third overlaps the second by more than enough, but not the first, which is the surest."""
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    merged, _ = weighted_nms(boxes, np.array([0.9, 0.8, 0.7], np.float32))
    assert len(merged) == 2
    assert merged[1].tolist() == [8, 0, 18, 10]


def test_a_box_without_area_does_not_hold_up_the_rest():
    boxes = np.array([[5, 5, 5, 5], [0, 0, 10, 10]], np.float32)
    merged, _ = weighted_nms(boxes, np.array([0.9, 0.8], np.float32))
    assert merged.tolist() == boxes.tolist()
