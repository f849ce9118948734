"""Blackout zones: parts of the picture that nobody is to see, not even the detector."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.config.rules import Point
from fer_edge.types import Box, Image

MASK_SIDE = 512  # cells a side in which the share of a box is counted: finer than any face that can be read
# Pixels by which each edge is widened: points lie between pixels, and half of a pixel is not to be seen either.
EDGE_PX = 3


class PrivacyMask:
    """``polygons`` are in fractions of the frame, as `polygons.flaw_of` has found them fit. Any thread may ask."""

    def __init__(self, polygons: Sequence[Sequence[Point]]) -> None:
        self._polygons = [np.asarray(polygon, np.float64) for polygon in polygons]
        self._covered = self._count() if self._polygons else None

    def __bool__(self) -> bool:
        return bool(self._polygons)

    def apply(self, image: Image) -> Image:
        """``image``, (h, w, 3) uint8, with zeros in every zone; changed in place where it can be."""
        if not self._polygons:
            return image
        picture = image if image.flags.writeable and image.flags.c_contiguous else np.array(image, order="C")
        height, width = picture.shape[:2]
        self._fill(picture, width, height, (0, 0, 0))
        return picture

    def share(self, box: Box) -> float:
        """How much of the part of ``box`` that is inside the frame, 0 to 1, lies in a zone; fractions of the frame."""
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
        """Sums over a mask of all zones, so that a box takes four look-ups (Crow 1984, summed-area tables)."""
        mask = np.zeros((MASK_SIDE, MASK_SIDE, 1), np.uint8)
        self._fill(mask, MASK_SIDE, MASK_SIDE, (1,))
        return np.asarray(cv2.integral(mask), np.int32)

    def _fill(self, picture: Image, width: int, height: int, value: tuple[int, ...]) -> None:
        """One polygon after the other: together, what two of them cover would be left open."""
        for polygon in self._polygons:
            points = np.rint(polygon * (width, height) - 0.5).astype(np.int32)
            cv2.fillPoly(picture, [points], value)
            cv2.polylines(picture, [points], True, value, EDGE_PX)


NO_MASK = PrivacyMask(()).apply


def _cell(fraction: float) -> int:
    return int(min(max(round(fraction * MASK_SIDE), 0), MASK_SIDE))
