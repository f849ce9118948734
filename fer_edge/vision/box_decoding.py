"""What the cells of the detector's network say, as boxes; and of many boxes on one face one. Pure.

The network gives five numbers for each cell of 8 x 8 pixels, each from 0 to 6 with 3 in the middle, which is what a
ReLU6 quantizes best: how sure it is that a face has its middle here, and how far it reaches to the left, up, to the
right and down of the cell's centre, as logarithms of cells.
"""

import numpy as np
from numpy.typing import NDArray

STRIDE = 8  # pixels between cells
CHANNELS = 5  # score, left, up, right, down
MIDDLE = 3.0  # what stands for a logit of 0, and for a reach of one cell
SCORE_GAIN = 4.0  # logits from -12 to 12, in steps of 0.1 in an int8 file

Boxes = NDArray[np.float32]  # (n, 4) left, top, right, bottom in pixels


MOST_CANDIDATES = 200  # cells looked at, surest first: a crowd has fewer, and a broken network may not cost seconds
MERGE_IOU = 0.4  # boxes that overlap the surest one by more are of the same face


def candidates(cells: NDArray[np.float32], least_logit: float) -> tuple[Boxes, NDArray[np.float32]]:
    """Boxes (n, 4) in pixels and their logits (n,), surest first, of what the network says, (h, w, 5) from 0 to 6.

    Left out is what is less sure than ``least_logit``, and what comes after MOST_CANDIDATES.
    """
    logits = (cells[..., 0] - MIDDLE) * SCORE_GAIN
    rows, columns = np.nonzero(logits >= least_logit)
    sure = logits[rows, columns]
    order = np.argsort(-sure, kind="stable")[:MOST_CANDIDATES]
    rows, columns, sure = rows[order], columns[order], sure[order]
    reach = np.exp(cells[rows, columns, 1:] - MIDDLE)
    centre = np.stack([columns, rows], axis=1) + 0.5
    boxes = np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1) * STRIDE
    return boxes.astype(np.float32), sure


def weighted_nms(
    boxes: Boxes, scores: NDArray[np.float32], iou: float = MERGE_IOU
) -> tuple[Boxes, NDArray[np.float32]]:
    """One box for each face, out of several on each: (m, 4) and (m,), surest first, as ``boxes`` (n, 4) must be.

    The surest box that is left takes all that overlap it by more than ``iou``; the face's box is their mean, weighted
    by ``scores`` (above 0), its score the highest. Non-maximum suppression would keep one and throw the others away;
    their mean trembles less from frame to frame (Bazarevsky et al. 2019, "BlazeFace").
    """
    merged, best = [], []
    while len(boxes):
        same = overlaps(boxes[0], boxes) > iou
        same[0] = True  # also a box without area, which overlaps nothing
        merged.append(np.average(boxes[same], axis=0, weights=scores[same]))
        best.append(scores[0])
        boxes, scores = boxes[~same], scores[~same]
    return np.array(merged, np.float32).reshape(-1, 4), np.array(best, np.float32)


def overlaps(box: NDArray[np.float32], others: Boxes) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with each of ``others`` (n, 4); 0 where both are empty."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    part: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return part
