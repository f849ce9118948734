"""Box geometry: pure functions over `types.Box`, in pixels or in fractions of the frame."""

from fer_edge.types import Box


def area(box: Box) -> float:
    """Width times height, 0 for a box with a negative side."""
    return max(0.0, box.w) * max(0.0, box.h)


def overlap(a: Box, b: Box) -> float:
    """Area of the intersection of two boxes."""
    w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return w * h if w > 0 and h > 0 else 0.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1; 0 if either is empty."""
    shared = overlap(a, b)
    return shared / (a.w * a.h + b.w * b.h - shared) if shared else 0.0


def inside(box: Box, width: float, height: float) -> float:
    """Share of ``box``, 0 to 1, inside a frame of ``width`` and ``height``; 0 for an empty box."""
    whole = area(box)
    return overlap(box, Box(0.0, 0.0, width, height)) / whole if whole else 0.0


def moved(box: Box, dx: float, dy: float) -> Box:
    """``box`` shifted by ``dx`` and ``dy``."""
    return Box(box.x + dx, box.y + dy, box.w, box.h)


def centre_distance(a: Box, b: Box) -> float:
    """Distance of the centres, each axis in units of ``a``'s side: independent of the frame's aspect ratio."""
    dx = (b.x + b.w / 2 - a.x - a.w / 2) / a.w
    dy = (b.y + b.h / 2 - a.y - a.h / 2) / a.h
    return float((dx * dx + dy * dy) ** 0.5)
