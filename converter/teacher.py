"""Distillation (Hinton et al. 2015): what trained networks say of the training faces, as part of the targets.

The teachers see each face once as it is and once mirrored, before the training starts; what they said is then mixed
with label and votes. Asking them about every augmented picture would cost a forward pass of the large networks for
each step of the small one.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.batches import inputs
from converter.networks import SIZE_PX
from fer_edge.errors import UserError
from fer_edge.labels import EMOTIONS

BATCH = 256


def taught(teachers: Sequence[Path], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 7) float32, rows sum to 1: the mean probabilities of ``teachers`` (.keras files) for (n, 48, 48) ``images``.

    UserError where a file is no network of this converter's shape.
    """
    faces = inputs(images)
    mirrored = np.ascontiguousarray(faces[:, :, ::-1])
    said = np.zeros((len(images), len(EMOTIONS)), np.float64)
    for path in teachers:
        network = _teacher(path)
        for pictures in (faces, mirrored):
            said += network.predict(pictures, batch_size=BATCH, verbose=0)
    shares: NDArray[np.float32] = (said / said.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def digest(teachers: Sequence[Path]) -> str:
    """SHA-256 over the files, empty for none: a run that is resumed must have had the same teachers."""
    if not teachers:
        return ""
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in teachers)).hexdigest()


def _teacher(path: Path) -> Any:
    import keras

    try:
        network = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: is no network that this Keras reads; give a .keras file of `fer-convert train`"
        ) from error
    shapes = (tuple(network.input_shape[1:]), tuple(network.output_shape[1:]))
    if shapes != ((SIZE_PX, SIZE_PX, 1), (len(EMOTIONS),)):
        raise UserError(f"{path}: takes {shapes[0]} and gives {shapes[1]}; give a .keras file of `fer-convert train`")
    return network
