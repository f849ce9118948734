"""Box decoding of the anchor-free detector head, and weighted NMS. Pure.

The network outputs five numbers for each cell of 8 x 8 pixels, each from 0 to 6 with 3 in the middle, the range that a
ReLU6 quantizes best: the score of a face centred here, and the distances from the cell's centre to the left, top, right
and bottom of the box, as logarithms of cells.
"""

import numpy as np
from numpy.typing import NDArray

STRIDE = 8  # pixels between cells
CHANNELS = 5  # score, left, up, right, down
MIDDLE = 3.0  # output for a logit of 0, and for a distance of one cell
SCORE_GAIN = 4.0  # logits from -12 to 12, in steps of 0.1 in an int8 file

Boxes = NDArray[np.float32]  # (n, 4) left, top, right, bottom in pixels

MOST_CANDIDATES = (
    200  # cells decoded, highest score first: a crowd has fewer, and a broken network must not cost seconds
)
MERGE_IOU = 0.4  # boxes with a higher IoU belong to the same face


def candidates(cells: NDArray[np.float32], least_logit: float) -> tuple[Boxes, NDArray[np.float32]]:
    """Boxes (n, 4) in pixels and their logits (n,), highest first, of the network's output (h, w, 5) from 0 to 6.

    At most MOST_CANDIDATES, none below ``least_logit``.
    """
    logits = (cells[..., 0] - MIDDLE) * SCORE_GAIN
    rows, columns = np.nonzero(logits >= least_logit)
    kept = logits[rows, columns]
    order = np.argsort(-kept, kind="stable")[:MOST_CANDIDATES]
    rows, columns, kept = rows[order], columns[order], kept[order]
    distances = np.exp(cells[rows, columns, 1:] - MIDDLE)
    centre = np.stack([columns, rows], axis=1) + 0.5
    boxes = np.concatenate([centre - distances[:, :2], centre + distances[:, 2:]], axis=1) * STRIDE
    return boxes.astype(np.float32), kept


def weighted_nms(
    boxes: Boxes, scores: NDArray[np.float32], iou: float = MERGE_IOU
) -> tuple[Boxes, NDArray[np.float32]]:
    """Merge overlapping boxes (n, 4), sorted by falling score, into one per face: (m, 4) and (m,), sorted alike.

    The best remaining box absorbs all that overlap it by more than ``iou``: the result is their mean, weighted by
    ``scores`` (above 0), with the highest score. Plain NMS would discard the others; the mean jitters less from frame
    to frame (Bazarevsky et al. 2019, "BlazeFace").
    """
    merged, best = [], []
    while len(boxes):
        group = overlaps(boxes[0], boxes) > iou
        group[0] = True  # also a box without area, which overlaps nothing
        merged.append(np.average(boxes[group], axis=0, weights=scores[group]))
        best.append(scores[0])
        boxes, scores = boxes[~group], scores[~group]
    return np.array(merged, np.float32).reshape(-1, 4), np.array(best, np.float32)


def overlaps(box: NDArray[np.float32], others: Boxes) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with each of ``others`` (n, 4); 0 if both are empty."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    part: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return part
