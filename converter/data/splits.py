"""Train/validation split, and the metadata to reproduce it later."""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import DataError, Faces
from fer_edge.emotions import EMOTIONS

HELD_OUT = 10  # where nothing was set aside, every tenth face of a class is
HELD_OUT_NAME = "held out of Training"  # these faces in recipe.json, cards and tables


class HeldOut(NamedTuple):
    """Record of the faces that a run held out: enough to select them again and to verify that they are the same."""

    seed: int
    sha256: str


def training_and_validation(faces: Faces, seed: int) -> tuple[Faces, Faces, HeldOut | None]:
    """Training and PublicTest; where there is no PublicTest, a tenth of each class of Training, and which it is.

    All copies of a picture are then on one side: a network that has memorised it must not be validated on it.
    PrivateTest is never used here: it is for the figure that is reported. DataError where either comes out empty.
    """
    training, validation = faces.split("Training"), faces.split("PublicTest")
    if not len(training):
        raise DataError("no faces for training: none is of usage Training")
    if len(validation):
        return training, validation, None
    held = _held_out(training, seed)
    if not held.any():
        raise DataError(
            f"no faces to validate with: no PublicTest, and no class has {HELD_OUT} different faces to hold one out"
        )
    validation = training.chosen(held)
    return training.chosen(~held), validation, HeldOut(seed, digest(validation))


def held_out_by(provenance: object) -> HeldOut | None:
    """Return the held-out split in ``provenance`` (recipe.json, or `trained` in a card); None with a PublicTest.

    Also None where ``provenance`` is not what `fer-convert train` writes: files of others are read, too.
    """
    match provenance:
        case {"data": {"held_out": {"seed": int(seed), "sha256": str(sha256)}}} if seed >= 0:
            return HeldOut(seed, sha256)
    return None


def reproduce_held_out(faces: Faces, expected: HeldOut) -> tuple[Faces, Faces]:
    """Return the training and the held-out faces of a run. DataError where ``faces`` are not those that it had."""
    training, validation, held_out = training_and_validation(faces, expected.seed)
    if held_out != expected:
        raise DataError("holds other faces than the network was trained on, so which of them it has seen is unknown")
    return training, validation


def digest(faces: Faces) -> str:
    """SHA-256 of pictures and labels, in their order."""
    return digest_of((faces.images, faces.labels))


def digest_of(arrays: Iterable[NDArray[Any] | None]) -> str:
    """SHA-256 of all of them in their order; None is one that is not there."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()


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
