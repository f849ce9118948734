"""Which faces a training learns from and which it is chosen by."""

import numpy as np
from numpy.typing import NDArray

from converter.faces import DataError, Faces
from fer_edge.labels import EMOTIONS

HELD_OUT = 10  # where nothing was set aside, every tenth face of a class is


def training_and_validation(faces: Faces, seed: int) -> tuple[Faces, Faces, bool]:
    """Training and PublicTest; where there is no PublicTest, a tenth of each class of Training instead, and True.

    All copies of a picture are then on one side: a network that has learnt it by heart is not to be asked about it.
    PrivateTest is never used here: it is for the figure that is reported. DataError where either comes out empty.
    """
    training, validation = faces.split("Training"), faces.split("PublicTest")
    if not len(training):
        raise DataError("no faces for training: none is of usage Training")
    if len(validation):
        return training, validation, False
    held = _held_out(training, seed)
    if not held.any():
        raise DataError(
            f"no faces to validate with: no PublicTest, and no class has {HELD_OUT} different faces to hold one out"
        )
    return training.chosen(~held), training.chosen(held), True


def limited(faces: Faces, count: int, seed: int) -> Faces:
    """At most ``count`` of the faces, drawn at random, in their order."""
    if len(faces) <= count:
        return faces
    return faces.chosen(np.sort(np.random.default_rng(seed).permutation(len(faces))[:count]))


def _held_out(faces: Faces, seed: int) -> NDArray[np.bool_]:
    """(n,) which faces are held out: of each class a tenth, or fewer where copies of one picture would be more."""
    pictures: dict[bytes, list[int]] = {}
    for index, image in enumerate(faces.images):
        pictures.setdefault(image.tobytes(), []).append(index)
    groups = list(pictures.values())
    held = np.zeros(len(faces), bool)
    wanted = faces.counts() // HELD_OUT
    for number in np.random.default_rng(seed).permutation(len(groups)):
        copies = groups[number]
        of_classes = np.bincount(faces.labels[copies], minlength=len(EMOTIONS))  # copies may differ in their labels
        if (of_classes <= wanted).all():
            held[copies] = True
            wanted = wanted - of_classes
    return held
