"""Which faces a training learns from and which it is chosen by."""

import numpy as np

from converter.faces import DataError, Faces
from fer_edge.labels import EMOTIONS

HELD_OUT = 10  # where nothing was set aside, every tenth face of a class is


def training_and_validation(faces: Faces, seed: int) -> tuple[Faces, Faces, bool]:
    """Training and PublicTest; where there is no PublicTest, a tenth of each class of Training instead, and True.

    PrivateTest is never used here: it is for the figure that is reported. DataError where either comes out empty.
    """
    training, validation = faces.split("Training"), faces.split("PublicTest")
    if not len(training):
        raise DataError("no faces for training: none is of usage Training")
    if len(validation):
        return training, validation, False
    rng = np.random.default_rng(seed)
    held = np.zeros(len(training), bool)
    for label in range(len(EMOTIONS)):
        of_class = rng.permutation(np.flatnonzero(training.labels == label))
        held[of_class[: len(of_class) // HELD_OUT]] = True
    if not held.any():
        raise DataError(f"no faces to validate with: no PublicTest, and no class has {HELD_OUT} faces to hold one out")
    return training.chosen(~held), training.chosen(held), True


def limited(faces: Faces, count: int, seed: int) -> Faces:
    """At most ``count`` of the faces, drawn at random, in their order."""
    if len(faces) <= count:
        return faces
    return faces.chosen(np.sort(np.random.default_rng(seed).permutation(len(faces))[:count]))
