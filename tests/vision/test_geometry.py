"""Geometry with numbers worked by hand."""

import pytest

from fer_edge.types import Box
from fer_edge.vision.geometry import area, centre_distance, inside, iou, moved


def test_iou_of_two_squares_that_share_a_quarter_of_each():
    assert iou(Box(0, 0, 2, 2), Box(1, 1, 2, 2)) == pytest.approx(1 / 7)


def test_iou_is_one_for_the_same_box_and_nought_for_strangers_neighbours_and_empty_boxes():
    box = Box(3, 4, 5, 6)
    assert iou(box, box) == 1.0
    assert iou(box, Box(8, 4, 5, 6)) == 0.0  # they touch
    assert iou(box, Box(4, 5, 0, 3)) == 0.0
    assert iou(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0.0


def test_iou_is_the_same_in_pixels_and_in_fractions():
    a, b = Box(10, 20, 50, 60), Box(30, 25, 50, 70)
    assert iou(a.scaled(1 / 640, 1 / 360), b.scaled(1 / 640, 1 / 360)) == pytest.approx(iou(a, b))


def test_the_part_inside_the_frame():
    assert inside(Box(-10, 0, 40, 20), 100, 100) == 0.75
    assert inside(Box(-10, -10, 20, 20), 100, 100) == 0.25
    assert inside(Box(10, 10, 20, 20), 100, 100) == 1.0
    assert inside(Box(200, 10, 20, 20), 100, 100) == 0.0
    assert inside(Box(10, 10, 0, 20), 100, 100) == 0.0


def test_a_box_that_is_turned_inside_out_has_no_area():
    assert area(Box(5, 5, -3, 4)) == 0.0


def test_distance_is_in_sides_of_the_first_box():
    assert centre_distance(Box(0, 0, 10, 20), moved(Box(0, 0, 10, 20), 30, 80)) == pytest.approx(5.0)  # 3, 4
