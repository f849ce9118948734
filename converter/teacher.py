"""Distillation (Hinton et al. 2015): what trained networks say of the training faces, as part of the targets.

The teachers see each face once as it is and once mirrored, before the training starts; what they said is then mixed
with label and votes. Asking them about every augmented picture would cost a forward pass of the large networks for
each step of the small one.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.batches import inputs
from converter.folded import SUFFIX
from converter.networks import SIZE_PX
from converter.score_tflite import ask_tflite
from fer_edge.errors import UserError
from fer_edge.labels import EMOTIONS
from fer_edge.vision.classify import calibrated, load_classifier

BATCH = 256

Ask = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # (n, 48, 48) faces to (n, 7) probabilities


def taught(teachers: Sequence[Path], images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 7) float32, rows sum to 1: the mean probabilities of ``teachers`` for (n, 48, 48) ``images``.

    A teacher is a .keras file, or a TFLite file with its card, whose temperature then counts. UserError where a file is
    no network of this converter's shape, or its card does not fit.
    """
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    said = np.zeros((len(images), len(EMOTIONS)), np.float64)
    for path in teachers:
        ask = _tflite(path) if path.suffix == SUFFIX else _keras(path)
        for faces in (images, mirrored):
            said += ask(faces)
    shares: NDArray[np.float32] = (said / said.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def digest(teachers: Sequence[Path]) -> str:
    """SHA-256 over the files, empty for none: a run that is resumed must have had the same teachers."""
    if not teachers:
        return ""
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in teachers)).hexdigest()


def _tflite(path: Path) -> Ask:
    classifier = load_classifier(path)
    card = classifier.card
    return lambda faces: calibrated(ask_tflite(classifier, faces), card.output, card.temperature)


def _keras(path: Path) -> Ask:
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

    def ask(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        said: NDArray[np.float32] = network.predict(inputs(faces), batch_size=BATCH, verbose=0)
        return said

    return ask
