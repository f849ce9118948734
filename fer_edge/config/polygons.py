"""Polygons as people draw them: what makes one unfit to be blacked out. Pure."""

from collections.abc import Sequence

Point = tuple[float, float]

LEAST_AREA = 1e-6  # of the frame; below one pixel of a 1000x1000 picture it is a line


def flaw_of(polygon: Sequence[Point]) -> str | None:
    """What is wrong with a polygon of three points or more, None where nothing is.

    Edges that meet are refused because filling leaves holes between them, and a hole is what nobody may see into: a
    zone that is gone round twice would hide nothing at all.
    """
    ends = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    edges = [(number, edge) for number, edge in enumerate(ends, 1) if edge[0] != edge[1]]  # a point may stand twice
    for first, (number, one) in enumerate(edges):
        for second in range(first + 1, len(edges)):
            neighbours = second == first + 1 or (first == 0 and second == len(edges) - 1)
            other, crossing = edges[second]
            if not neighbours and _meet(one, crossing):
                return f"its edges {number} and {other} cross or touch: go round the zone once, point by point"
    if abs(_area(polygon)) < LEAST_AREA:
        return "it has no area: its points are one point or lie on one line"
    return None


def _area(polygon: Sequence[Point]) -> float:
    """Signed area by the shoelace formula."""
    pairs = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2.0


def _meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two edges have a point in common."""
    (a, b), (c, d) = one, other
    if not all(_overlap(a[axis], b[axis], c[axis], d[axis]) for axis in (0, 1)):
        return False
    return _side(a, b, c) * _side(a, b, d) <= 0.0 and _side(c, d, a) * _side(c, d, b) <= 0.0


def _overlap(a: float, b: float, c: float, d: float) -> bool:
    """Whether the stretches from ``a`` to ``b`` and from ``c`` to ``d`` of one axis have a point in common."""
    return min(a, b) <= max(c, d) and min(c, d) <= max(a, b)


def _side(start: Point, end: Point, point: Point) -> float:
    """Positive left of the line, negative right of it, 0 on it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
