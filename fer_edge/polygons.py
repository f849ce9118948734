"""Polygons as people draw them: what makes one unfit to be blacked out. Pure."""

from collections.abc import Sequence

Point = tuple[float, float]

LEAST_AREA = 1e-6  # of the frame; below one pixel of a 1000x1000 picture it is a line


def flaw_of(polygon: Sequence[Point]) -> str | None:
    """What is wrong with a polygon of three points or more, None where nothing is.

    Edges that cross are refused because filling leaves holes between them, and a hole is what nobody may see into.
    """
    edges = list(zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    for first, one in enumerate(edges):
        for second in range(first + 1, len(edges)):
            neighbours = second == first + 1 or (first == 0 and second == len(edges) - 1)
            if not neighbours and _cross(one, edges[second]):
                return f"its edges {first + 1} and {second + 1} cross: name the points in their order around the zone"
    if abs(_area(polygon)) < LEAST_AREA:
        return "it has no area: its points are one point or lie on one line"
    return None


def _area(polygon: Sequence[Point]) -> float:
    """Signed area by the shoelace formula."""
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2.0


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two edges cross, each reaching to both sides of the other; edges that only touch do not."""
    (a, b), (c, d) = one, other
    return _side(a, b, c) * _side(a, b, d) < 0.0 and _side(c, d, a) * _side(c, d, b) < 0.0


def _side(start: Point, end: Point, point: Point) -> float:
    """Positive left of the line, negative right of it, 0 on it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
