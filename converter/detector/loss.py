"""What a detector is trained to make small, in Keras' own operations: the same on every backend."""

from typing import Any

from fer_edge.vision.cells import MIDDLE, SCORE_GAIN

FACES = 0.4  # share of the faces in the loss of the scores, against 0.6 of what is none
GAMMA = 2.0  # how little what is known already counts (Lin et al. 2017, "Focal Loss for Dense Object Detection")
BOXES = 1.5  # weight of the boxes against the scores


def detection_loss(wanted: Any, said: Any) -> Any:
    """One number for a batch: focal loss of the scores, and 1 - intersection over union of the faces' boxes.

    ``wanted`` (n, h, w, 6) of `targets.targets`, ``said`` (n, h, w, 5) of the network. Both parts are divided by the
    weight of all faces in the batch, so that pictures full of faces and empty ones are learned from alike.
    """
    from keras import ops

    is_face, weight = wanted[..., 0], wanted[..., 1]
    logit = (said[..., 0] - MIDDLE) * SCORE_GAIN
    unlike = ops.sigmoid(ops.where(is_face > 0, -logit, logit))  # how far the answer is from the truth, 0 to 1
    surprise = ops.softplus(ops.where(is_face > 0, -logit, logit))
    share = ops.where(is_face > 0, FACES, 1 - FACES)
    scores = ops.sum(weight * share * unlike**GAMMA * surprise)
    faces = weight * is_face
    boxes = ops.sum(faces * (1 - _overlap(ops.exp(wanted[..., 2:]), ops.exp(said[..., 1:] - MIDDLE))))
    return (scores + BOXES * boxes) / ops.maximum(ops.sum(faces), 1.0)


def _overlap(a: Any, b: Any) -> Any:
    """Intersection over union of boxes that share a point, from their reaches (..., 4) to the left, up, right, down."""
    from keras import ops

    shared = ops.minimum(a, b)

    def area(reach: Any) -> Any:
        return (reach[..., 0] + reach[..., 2]) * (reach[..., 1] + reach[..., 3])

    both = area(shared)
    return both / (area(a) + area(b) - both)
