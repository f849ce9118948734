"""Privacy masks: zones of the frame that are blacked out before detection."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.config.rules import Point
from fer_edge.types import Box, Image

MASK_SIDE = 512  # side of the grid for overlaps, in cells: finer than the smallest classified face
# Pixels by which each edge is widened: points lie between pixels, and a partly covered pixel must not be visible.
EDGE_PX = 3


class PrivacyMask:
    """Set of ``polygons`` in fractions of the frame, validated by `config.rules`. Thread-safe."""

    def __init__(self, polygons: Sequence[Sequence[Point]]) -> None:
        self._polygons = [np.asarray(polygon, np.float64) for polygon in polygons]
        self._covered = self._count() if self._polygons else None

    def __bool__(self) -> bool:
        return bool(self._polygons)

    def apply(self, image: Image) -> Image:
        """``image``, (h, w, 3) uint8, with zeros in every zone; modified in place if writeable and contiguous."""
        if not self._polygons:
            return image
        image = image if image.flags.writeable and image.flags.c_contiguous else np.array(image, order="C")
        height, width = image.shape[:2]
        self._fill(image, width, height, (0, 0, 0))
        return image

    def overlap(self, box: Box) -> float:
        """Share, 0 to 1, of the part of ``box`` (fractions of the frame) inside the frame that lies in a zone."""
        if self._covered is None:
            return 0.0
        left, right = (_cell(value) for value in (box.x, box.x + box.w))
        top, bottom = (_cell(value) for value in (box.y, box.y + box.h))
        cells = (right - left) * (bottom - top)
        if cells <= 0:
            return 0.0
        sums = self._covered
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return float(inside) / cells

    def _count(self) -> NDArray[np.int32]:
        """Summed-area table of all zones (Crow 1984): a box takes four look-ups."""
        mask = np.zeros((MASK_SIDE, MASK_SIDE, 1), np.uint8)
        self._fill(mask, MASK_SIDE, MASK_SIDE, (1,))
        return np.asarray(cv2.integral(mask), np.int32)

    def _fill(self, image: Image, width: int, height: int, value: tuple[int, ...]) -> None:
        """Fill polygons one by one: in a single call, overlaps of two would stay unfilled."""
        for polygon in self._polygons:
            points = np.rint(polygon * (width, height) - 0.5).astype(np.int32)
            cv2.fillPoly(image, [points], value)
            cv2.polylines(image, [points], True, value, EDGE_PX)


NO_MASK = PrivacyMask(()).apply


def _cell(fraction: float) -> int:
    return int(min(max(round(fraction * MASK_SIDE), 0), MASK_SIDE))
