"""Keras networks that run: loaded by the Keras that wrote them, from Keras' own layers alone, in float32.

TensorFlow is imported here and in the conversion, and only when a function is called. Networks trained in half
precision (policies such as mixed_float16) are built in float32: TensorFlow's converter knows no float16 convolution,
and under a mixed policy the weights are float32 already.
"""

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.networks.identify import CONFIG, HDF5_CONFIG, Container, KerasFile, one_line
from converter.networks.layout import Scaling
from converter.networks.safety import check_architecture, layer_names, without_compilation
from converter.networks.saved_model import check_one_each, load_graph
from converter.networks.worker import DISK_ERRORS
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.vision.preprocess import Grey, resized

BATCH = 64  # faces a call where the network takes any number; more is no faster on a CPU
PICTURE_AXES = 4  # n, h, w, c
VECTOR_AXES = 2  # n, classes
CHANNELS = (1, 3)
LEGACY_WEIGHTS = {"layer_names", "model_weights"}  # in the HDF5 files that were usual before `.weights.h5`
FULL = "float32"
HALF = {"float16", "bfloat16", "mixed_float16", "mixed_bfloat16"}
CURE = f"it was saved in half precision; save it again under the policy {FULL}"


@dataclass(frozen=True, slots=True)
class Network:
    """A loaded network: one picture in, one vector out."""

    call: Callable[[Any], Any]  # traceable by TensorFlow: (n, h, w, c) float32 to (n, classes) float32, inference
    height: int
    width: int
    channels: Literal[1, 3]
    classes: int
    batch: int  # faces a call
    description: str  # container, who wrote it and what read it

    def infer(self, faces: Sequence[Grey] | NDArray[np.uint8], scaling: Scaling) -> NDArray[np.float32]:
        """Return the outputs (n, classes) float32 for ``faces``, each (h, w) uint8 of any size; n at least 1."""
        # Fed batch by batch: at 224x224x3 all of PublicTest together would take 2 GB.
        batches = (faces[first : first + self.batch] for first in range(0, len(faces), self.batch))
        return np.concatenate([np.asarray(self.call(network_input(batch, self, scaling))) for batch in batches])


def network_input(faces: Iterable[Grey], network: Network, scaling: Scaling) -> NDArray[np.float32]:
    """(n, h, w, c) float32 as ``network`` takes ``faces``, (h, w) uint8: the edge's preprocessing, then the scaling."""
    table = ((np.arange(256) - scaling.mean) / scaling.std).astype(np.float32)
    sized = np.stack([resized(face, network.height, network.width) for face in faces])
    return table[sized][..., None].repeat(network.channels, axis=3)


def check_classes(network: Network, name: str) -> None:
    """Raise UserError where ``network`` does not give the seven expressions."""
    if network.classes != len(EMOTIONS):
        raise UserError(
            f"{name}: gives {network.classes} classes, so it is not an expression network; "
            f"that gives {len(EMOTIONS)}: {', '.join(EMOTIONS)}"
        )


def load(file: KerasFile) -> Network:
    """The network in ``file``, built from Keras' own layers alone; it computes in float32, whatever it was trained in.

    Raises UserError for a Lambda layer or custom object, weights that do not fit, and whatever has not exactly one
    picture as its input and one vector as its output.
    """
    if file.container is Container.SAVED_MODEL:
        graph = load_graph(file.path)
        return _network(file, graph.call, graph.inputs, graph.outputs, f"{file}, read by {graph.reader}")
    keras = _keras(file)
    assert file.architecture is not None
    architecture = in_float32(without_compilation(file.architecture))
    check_architecture(architecture, layer_names(keras), str(file.path))
    model = _built(file, keras, architecture)
    inputs, outputs = _ends(model, file.path)
    import tensorflow as tf

    call = tf.function(lambda images: _only(model(images, training=False)), reduce_retracing=True)
    reader = f"{'tf-keras' if file.keras_2 else 'Keras'} {keras.__version__}"
    reader += " in float32" if in_half_precision(file.architecture) else ""
    return _network(file, call, inputs.shape, outputs.shape, f"{file}, read by {reader}")


def _keras(file: KerasFile) -> Any:
    """The Keras that reads what ``file`` was written by."""
    major = re.match(r"\d*", file.keras)
    if major and major.group() not in ("2", "3"):
        raise UserError(f"{file.path}: was written by Keras {file.keras}; open it with Keras 2 and save it again")
    try:
        if file.keras_2:
            import tf_keras

            return tf_keras
        import keras
    except ModuleNotFoundError as error:
        raise UserError(f"{file.path}: needs {error.name}: pip install 'fer-edge[converter]'") from error
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"{file.path}: only TensorFlow converts networks; set KERAS_BACKEND=tensorflow before Keras loads"
        )
    return keras


def _built(file: KerasFile, keras: Any, architecture: dict[str, Any]) -> Any:
    """Build the Keras model of ``file`` from ``architecture``, which was checked, and load its weights."""
    try:
        if file.container is not Container.JSON:
            with _whole(file, architecture) as path:
                return keras.models.load_model(path, compile=False, safe_mode=True)
        model = keras.models.model_from_json(json.dumps(architecture))
    except Exception as error:  # Keras raises whatever its layers raise
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        reason = f"{one_line(error)}; {CURE}" if in_half_precision(file.architecture) else one_line(error)
        raise UserError(f"{file.path}: Keras cannot build this network: {reason}") from error
    if file.weights is not None:
        ending = "weights.h5" if _is_legacy(file.weights) else "model.weights.h5"
        try:
            with _named(file.weights, ending) as path:
                model.load_weights(path)
        except Exception as error:  # the same
            raise UserError(f"{file.weights}: these weights do not fit {file.path}: {one_line(error)}") from error
    return model


@contextmanager
def _whole(file: KerasFile, architecture: dict[str, Any]) -> Iterator[str]:
    """The whole model of ``file`` under a name that Keras accepts; a copy where ``architecture`` is not its own."""
    name = "model.keras" if file.container is Container.KERAS else "model.h5"
    if architecture == file.architecture:
        with _named(file.path, name) as path:
            yield path
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_copy(file.path, architecture, Path(folder) / name)
            yield str(Path(folder) / name)


def _only(outputs: Any) -> Any:
    """The tensor in what a model gives: it may be called by a name, or be the only one of a list."""
    while isinstance(outputs, dict | list | tuple):
        (outputs,) = outputs.values() if isinstance(outputs, dict) else outputs
    return outputs


def _ends(model: Any, path: Path) -> tuple[Any, Any]:
    """The only input and the only output of a Keras model."""
    try:
        inputs, outputs = model.inputs, model.outputs
    except (AttributeError, ValueError):  # Keras 3 without an input shape; Keras 2 gives None
        inputs, outputs = None, None
    if inputs is None or outputs is None:
        raise UserError(f"{path}: has no size of its input; give its first layer an input shape")
    check_one_each(path, len(inputs), len(outputs))
    return inputs[0], outputs[0]


def _network(file: KerasFile, call: Callable[[Any], Any], inputs: Any, outputs: Any, description: str) -> Network:
    """A Network after its shapes were checked; ``inputs`` and ``outputs`` have the batch as their first axis."""
    picture, vector = tuple(inputs), tuple(outputs)
    if len(picture) != PICTURE_AXES or None in picture[1:] or picture[3] not in CHANNELS:
        raise UserError(
            f"{file.path}: takes {_shown(picture)}; a network for faces takes (height, width, 1 or 3), of fixed size"
        )
    if len(vector) != VECTOR_AXES or vector[1] is None:
        raise UserError(f"{file.path}: gives {_shown(vector)}; an expression network gives one vector of classes")
    height, width = int(picture[1]), int(picture[2])
    channels: Literal[1, 3] = 1 if picture[3] == 1 else 3
    return Network(call, height, width, channels, int(vector[1]), int(picture[0] or BATCH), description)


def _shown(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape[1:]) + ")"


@contextmanager
def _named(path: Path, name: str) -> Iterator[str]:
    """``path`` under another ``name``: Keras judges a file by its ending, whatever is in it."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / name
        link.symlink_to(path.resolve())
        yield str(link)


def _is_legacy(weights: Path) -> bool:
    """Return whether an HDF5 file of weights has the layout that Keras calls legacy."""
    import h5py

    with h5py.File(weights, "r") as file:
        return bool(LEGACY_WEIGHTS & {*file.attrs, *file})


def in_float32(architecture: Any) -> Any:
    """A copy of a decoded architecture in which every `dtype` of half precision, a name or a policy, is float32."""
    if isinstance(architecture, list):
        return [in_float32(item) for item in architecture]
    if not isinstance(architecture, dict):
        return architecture
    return {
        key: FULL if key == "dtype" and _name(item) in HALF else in_float32(item) for key, item in architecture.items()
    }


def in_half_precision(architecture: Any) -> bool:
    """Return whether a decoded architecture has a `dtype` of half precision."""
    return bool(in_float32(architecture) != architecture)


def write_copy(path: Path, architecture: dict[str, Any], copy: Path) -> None:
    """Write ``path``, a .keras file or a whole model in HDF5, to ``copy`` with another ``architecture``."""
    text = json.dumps(architecture)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
            for name in old.namelist():
                new.writestr(name, text if name == CONFIG else old.read(name))
        return
    import h5py

    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        file.attrs[HDF5_CONFIG] = text


def _name(dtype: Any) -> str:
    """`mixed_float16` of a policy, {class_name: ..., config: {name: mixed_float16}}, and a plain name as it is."""
    config = dtype.get("config") if isinstance(dtype, dict) else None
    name = config.get("name") if isinstance(config, dict) else dtype
    return name if isinstance(name, str) else ""
