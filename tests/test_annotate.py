"""Annotated frames: colours, positions, nothing outside the frame."""

import numpy as np
import pytest

from fer_edge.annotate import BGR, HEX, annotate, bgr, label, placard
from fer_edge.emotions import EMOTIONS
from fer_edge.types import Box, FaceState, Outcome

GREY = np.full((240, 320, 3), 128, np.uint8)
SCORES = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], np.float32)


def verdict(box: Box, emotion: str | None = "happy", outcome: Outcome = Outcome.HELD) -> FaceState:
    return FaceState(3, box, emotion, 0.934, SCORES, 0.0, outcome)


def test_box_has_the_colour_of_what_is_held_and_the_frame_itself_is_left_alone() -> None:
    before = GREY.copy()
    image = annotate(GREY, [verdict(Box(0.25, 0.25, 0.25, 0.5))])
    assert np.array_equal(GREY, before)
    assert tuple(image[120, 80]) == BGR["happy"]  # the left side, 0.25 of 320
    assert tuple(image[120, 120]) == (128, 128, 128)  # the face itself stays visible


def test_bar_is_as_long_as_the_score() -> None:
    image = annotate(GREY, [verdict(Box(0.1, 0.25, 0.25, 0.5), emotion=None, outcome=Outcome.UNSURE)])
    filled = {emotion: int((image == np.array(BGR[emotion])).all(axis=2).sum()) for emotion in EMOTIONS}
    assert filled["happy"] > 100  # the only score above 0; nothing else in the frame has that colour
    assert filled["happy"] > 4 * max(filled[emotion] for emotion in EMOTIONS if emotion != "happy")


@pytest.mark.parametrize(
    "box", [Box(-0.5, -0.5, 0.6, 0.6), Box(0.9, 0.9, 0.4, 0.4), Box(0, 0, 1, 1), Box(0.5, 0.5, 0, 0)]
)
def test_face_at_any_edge_is_drawn_without_a_fault(box: Box) -> None:
    assert annotate(GREY, [verdict(box)]).shape == GREY.shape


def test_small_face_gets_no_bars_that_would_hide_its_neighbours() -> None:
    small = annotate(GREY, [verdict(Box(0.5, 0.5, 0.05, 0.07))])
    changed = (small != GREY).any(axis=2)
    assert not changed[:, 270:].any()


def test_bars_leave_a_neighbour_s_face_free_and_go_to_the_other_side() -> None:
    alone = annotate(GREY, [verdict(Box(0.5, 0.25, 0.2, 0.5))])
    beside = annotate(GREY, [verdict(Box(0.5, 0.25, 0.2, 0.5)), verdict(Box(0.75, 0.3, 0.2, 0.3))])
    assert (alone[60:180, 232:300] != GREY[60:180, 232:300]).any()  # bars to the right
    assert (beside[60:100, 90:150] != GREY[60:100, 90:150]).any()  # bars to the left
    inside = beside[90:120, 246:298]  # the neighbour's face
    assert (inside == 128).all()


@pytest.mark.parametrize(
    ("emotion", "outcome", "said"),
    [
        ("happy", Outcome.HELD, "3 happy 93%"),
        ("happy", Outcome.BLURRED, "3 happy 93%"),  # what is held stays held while a face is blurred
        (None, Outcome.ARRIVING, "3 arriving"),
        (None, Outcome.DWELL, "3 unsure"),
        (None, Outcome.TOO_SMALL, "3 too small"),
    ],
)
def test_label_says_what_is_held_or_why_nothing_is(emotion, outcome, said) -> None:
    assert label(verdict(Box(0, 0, 1, 1), emotion, outcome)) == said


def test_placard_says_its_lines_in_place_of_a_frame() -> None:
    empty, written = placard(320, 240, []), placard(320, 240, ["the camera is lost"])
    assert written.shape == (240, 320, 3)
    assert (written != empty).any()


def test_all_seven_have_a_colour_of_their_own() -> None:
    assert set(HEX) == set(EMOTIONS)
    assert len(set(HEX.values())) == 7
    assert bgr("#0102ff") == (255, 2, 1)
