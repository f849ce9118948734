import pytest

from fer_edge.config.rules import polygon_flaw

SQUARE = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))


@pytest.mark.parametrize(
    "polygon",
    [
        SQUARE,
        SQUARE[::-1],
        ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)),
        ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0)),  # a notch from below
        (*SQUARE, SQUARE[0]),  # closed by hand
        ((0.1, 0.1), (0.3, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5)),  # a point in the middle of an edge
    ],
)
def test_simple_polygon_is_fit(polygon) -> None:
    assert polygon_flaw(polygon) is None


def test_polygon_whose_edges_cross_is_named_with_them() -> None:
    bow_tie = (SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3])
    flaw = polygon_flaw(bow_tie)
    assert flaw is not None
    assert flaw.startswith("its edges 1 and 3 cross")


INNER = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.3), (0.1, 0.3))


@pytest.mark.parametrize(
    ("polygon", "edges"),
    [
        ((*SQUARE, *SQUARE), "1 and 4"),  # gone round twice: filled by even and odd, it hides nothing
        ((*SQUARE, *INNER), "1 and 4"),  # a hole from the same corner
        ((SQUARE[0], SQUARE[1], (0.3, 0.1), (0.3, 0.5), SQUARE[3]), "1 and 3"),  # back along its own edge
    ],
)
def test_polygon_that_would_leave_a_hole_is_refused(polygon, edges) -> None:
    assert str(polygon_flaw(polygon)).startswith(f"its edges {edges} cross or touch")


def test_point_that_stands_twice_changes_nothing() -> None:
    assert polygon_flaw((SQUARE[0], SQUARE[0], *SQUARE[1:], SQUARE[0])) is None


@pytest.mark.parametrize("polygon", [((0.1, 0.1),) * 3, ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), ((0, 0), (1, 0), (0, 0))])
def test_polygon_without_an_area_is_none(polygon) -> None:
    assert str(polygon_flaw(polygon)).startswith("it has no area")
