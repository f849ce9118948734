"""Boxes to what the network should say in each of its cells."""

import numpy as np
from numpy.typing import NDArray

from converter.detector.dataset import Boxes
from fer_edge.vision.cells import STRIDE

CHANNELS = 6  # is a face, weight of saying so, and the logarithms of four reaches
MIDDLE_PART = 0.18  # of a face's sides to either side of its centre: where cells say that it is there
UNSURE_PART = 0.35  # beyond that and up to here nothing is asked of a cell
MIDDLE_PX, UNSURE_PX = STRIDE / 2, 0.75 * STRIDE  # at least: one cell has the centre of the smallest face
LEAST_REACH = 0.06  # cells; a smallest face may lie to one side of its cell's centre


def targets(faces: Boxes, ignored: Boxes, height: int, width: int) -> NDArray[np.float32]:
    """(h / 8, w / 8, 6) float32 for a picture of ``height`` and ``width`` pixels.

    Where faces overlap, the smaller one has the cell: it has fewer. A face counts the square root of its cells, so
    that near ones do not drown far ones.
    """
    rows, columns = np.mgrid[: height // STRIDE, : width // STRIDE].astype(np.float32)
    x, y = (columns + 0.5) * STRIDE, (rows + 0.5) * STRIDE
    wanted = np.zeros((*rows.shape, CHANNELS), np.float32)
    wanted[..., 1] = 1.0
    for left, top, right, bottom in ignored:
        wanted[
            (x > left - STRIDE / 2) & (x < right + STRIDE / 2) & (y > top - STRIDE / 2) & (y < bottom + STRIDE / 2), 1
        ] = 0
    sides = faces[:, 2:] - faces[:, :2]
    for left, top, right, bottom in faces[np.argsort(-sides.prod(axis=1), kind="stable")]:
        w, h = right - left, bottom - top
        off_x, off_y = np.abs(x - (left + right) / 2), np.abs(y - (top + bottom) / 2)
        unsure = (off_x <= max(UNSURE_PART * w, UNSURE_PX)) & (off_y <= max(UNSURE_PART * h, UNSURE_PX))
        middle = (off_x <= max(MIDDLE_PART * w, MIDDLE_PX)) & (off_y <= max(MIDDLE_PART * h, MIDDLE_PX))
        wanted[unsure & (wanted[..., 0] == 0), 1] = 0
        reaches = np.stack([x - left, y - top, right - x, bottom - y], axis=-1)[middle] / STRIDE
        wanted[middle, 0] = 1
        wanted[middle, 1] = max(1, middle.sum()) ** -0.5
        wanted[middle, 2:] = np.log(np.maximum(reaches, LEAST_REACH))
    return wanted
