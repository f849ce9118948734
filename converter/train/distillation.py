"""Knowledge distillation (Hinton et al. 2015): probabilities of trained networks as part of the targets.

The teachers run once on each face and once on its mirror image, before the training starts; their outputs are then
mixed with label and votes. Running them on every augmented picture would cost a forward pass of the large networks for
each step of the small one.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.networks.identify import Container, identify, one_line
from converter.networks.layout import LEAST_ACCURACY, output_kind
from converter.networks.safety import COMPILED, check_architecture, layer_names
from converter.networks.tflite import run_tflite
from converter.train.architectures import SIZE_PX
from converter.train.batches import inputs
from converter.train.weights import SUFFIX
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.vision.classifier import calibrated, load_classifier
from fer_edge.vision.model_card import card_path, load_card

BATCH = 256

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # (n, 48, 48) faces to (n, 7) probabilities


def soft_targets(teachers: Sequence[Path], training: Faces) -> NDArray[np.float32]:
    """(n, 7) float32, rows sum to 1: the mean probabilities of ``teachers`` for the faces of ``training``.

    A teacher is a .keras file, or a TFLite file with its card, whose temperature then counts. UserError where a file is
    no network of this converter's shape, its card does not fit, or its outputs do not fit the labels at all.
    """
    mirrored = np.ascontiguousarray(training.images[:, :, ::-1])
    outputs = np.zeros((len(training), len(EMOTIONS)), np.float64)
    for path in teachers:
        infer = _tflite(path) if path.suffix.lower() == SUFFIX else _keras(path)
        plain = infer(training.images)
        _check(path, plain, training.labels)
        outputs += plain
        outputs += infer(mirrored)
    shares: NDArray[np.float32] = (outputs / outputs.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def digest(teachers: Sequence[Path]) -> str:
    """SHA-256 over the files, empty for none: a run that is resumed must have had the same teachers.

    A TFLite file's card is one of them: class order, scaling and temperature are in it. UserError where it has none.
    """
    if not teachers:
        return ""
    digests = (hashlib.sha256(path.read_bytes()).digest() for teacher in teachers for path in _files(teacher))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _files(teacher: Path) -> tuple[Path, ...]:
    if teacher.suffix.lower() != SUFFIX:
        return (teacher,)
    load_card(teacher)  # raises one line where it is wrong
    return (teacher, card_path(teacher))


def _check(path: Path, outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Raise UserError unless ``outputs`` (n, 7) are probabilities that fit ``labels`` (n,) better than chance."""
    if output_kind(outputs) != "probabilities":
        raise UserError(f"{path}: gives no probabilities; end it in a softmax, or give a .tflite file with its card")
    accuracy = float((outputs.argmax(axis=1) == labels).mean())
    if accuracy < LEAST_ACCURACY:
        raise UserError(
            f"{path}: reads {accuracy:.0%} of the training faces right, so it expects another class order or scaling "
            "than this converter's, or is untrained; quantize it and give the .tflite file with its card"
        )


def _tflite(path: Path) -> Infer:
    classifier = load_classifier(path)
    card = classifier.card
    return lambda faces: calibrated(run_tflite(classifier, faces), card.output, card.temperature)


def _keras(path: Path) -> Infer:
    import keras

    file = identify(path)
    if file.container is not Container.KERAS or file.architecture is None:
        raise UserError(f"{path}: is no .keras file ({file}); give that, or a .tflite file with its card")
    # `compile=False` leaves out what the model was compiled with, but not what a model within it was.
    architecture = {key: value for key, value in file.architecture.items() if key != COMPILED}
    check_architecture(architecture, layer_names(keras), str(path))
    try:
        network = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its layers raise
        raise UserError(f"{path}: Keras cannot build this network: {one_line(error)}") from error
    shapes = (tuple(network.input_shape[1:]), tuple(network.output_shape[1:]))
    if shapes != ((SIZE_PX, SIZE_PX, 1), (len(EMOTIONS),)):
        raise UserError(f"{path}: takes {shapes[0]} and gives {shapes[1]}; give a .keras file of `fer-convert train`")

    def infer(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = network.predict(inputs(faces), batch_size=BATCH, verbose=0)
        return outputs

    return infer
