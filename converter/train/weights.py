"""Weights of a network: saved as files, loaded again, also from a TFLite file.

In a TFLite file every BatchNorm is folded into the convolution or dense layer before it, and kernels are int8. Loaded
into the Keras network, its outputs are the same to within a rounding of the kernels: `fer-nano` in Keras and its own
file chose the same expression for 98% of PublicTest.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.networks.identify import check_weights
from fer_edge.errors import UserError
from fer_edge.files import atomic_output

SUFFIX = ".tflite"
OPERATIONS = {"CONV_2D", "FULLY_CONNECTED"}  # those that the networks here have weights in
WIDENED = "DEQUANTIZE"  # in a float16 file each constant goes through one before it is used
NO_BIAS = -1  # the index of an input that is not there
LAYERS = {"Conv2D", "Dense"}  # the same in Keras, by class, in the same order


def save_network(network: Any, folder: Path, name: str) -> None:
    """The network as <name>.keras, its architecture as <name>.json, its weights as <name>.weights.h5 (HDF5)."""
    with atomic_output(folder / f"{name}.keras") as beside:
        network.save(beside)
    with atomic_output(folder / f"{name}.weights.h5") as beside:
        network.save_weights(beside)
    with atomic_output(folder / f"{name}.json") as beside:
        beside.write_text(network.to_json(), encoding="utf-8")


def load_initial_weights(network: Any, path: Path, pictures: Callable[[], NDArray[np.float32]]) -> None:
    """Load weights, also from a TFLite file; there ``pictures`` set the BatchNorm statistics."""
    if path.suffix.lower() == SUFFIX:
        load_tflite_weights(network, path, pictures())
    else:
        load_weights(network, path)


def load_weights(network: Any, path: Path) -> None:
    """Give ``network`` the weights of a .keras or .weights.h5 file; UserError where they do not fit."""
    check_weights(path)
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: holds no weights that fit {network.name}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """A layer's weights with its BatchNorm inside, in float32 and in the order of Keras' axes."""

    kernel: NDArray[np.float32]  # (h, w, in, out) or (in, out)
    bias: NDArray[np.float32]  # (out,)


def load_tflite_weights(network: Any, path: Path, pictures: NDArray[np.float32]) -> None:
    """Give a Keras ``network`` the weights of the TFLite file at ``path``.

    ``pictures``, inputs as in training, are what its BatchNorms get their statistics from, so that they normalise what
    they see when training goes on. UserError where the file cannot be read or is not of this network.
    """
    layers, parts = _layers(network), folded_weights(path)
    shapes = [tuple(layer.kernel.shape) for layer, _ in layers]
    if shapes != [part.kernel.shape for part in parts]:
        raise UserError(f"{path}: holds no weights that fit {network.name}")
    for (layer, norm), part in zip(layers, parts, strict=True):
        layer.kernel.assign(part.kernel)
        bias = part.bias
        if norm is not None:  # first one that changes nothing but to add the bias
            norm.set_weights([_as_identity(norm, bias), bias, 0 * bias, 1 + 0 * bias])
            bias = 0 * bias
        if layer.use_bias:
            layer.bias.assign(bias)
    _normalise(network, [(layer, norm) for layer, norm in layers if norm is not None], pictures)


def folded_weights(path: Path) -> list[Folded]:
    """The weights of a TFLite file's convolutions and dense layers, in the order in which it runs them.

    UserError where the file cannot be read, or a kernel is all zeros: a network that begins so learns nothing.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter = Interpreter(
            model_content=path.read_bytes(),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: is no TFLite file that the runtime reads") from error
    details: Callable[[], list[dict[str, Any]]] = interpreter._get_ops_details  # noqa: SLF001  no public way exists
    operations = details()
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    # What an operation gives is zeros until the file is run; the numbers are in what it is given.
    constants = {of["outputs"][0]: of["inputs"][0] for of in operations if of["op_name"] == WIDENED}

    def floats(index: int) -> NDArray[np.float32]:
        constant = constants.get(index, index)
        return _dequantized(interpreter.get_tensor(constant), tensors[constant]["quantization_parameters"])

    found: list[Folded] = []
    for operation in operations:
        if operation["op_name"] in OPERATIONS:
            _, kernel, *bias = (index for index in operation["inputs"] if index != NO_BIAS)
            # TFLite's kernels begin with the outputs, Keras' end with them.
            values = np.moveaxis(floats(kernel), 0, -1)
            if not values.any():
                raise UserError(f"{path}: the kernel of its layer {len(found) + 1} is all zeros; give another file")
            found.append(Folded(values, floats(bias[0]) if bias else np.zeros(values.shape[-1], np.float32)))
    return found


def _dequantized(values: NDArray[Any], how: dict[str, Any]) -> NDArray[np.float32]:
    """A constant's real numbers, with one scale for all of it or one for each index along one axis."""
    if not len(how["scales"]):
        return values.astype(np.float32)
    shape = [1] * values.ndim
    shape[how["quantized_dimension"]] = -1
    scales, zeros = (how[name].reshape(shape) for name in ("scales", "zero_points"))
    real: NDArray[np.float32] = ((values.astype(np.float64) - zeros) * scales).astype(np.float32)
    return real


def _layers(network: Any) -> list[tuple[Any, Any]]:
    """Each layer with a kernel and the BatchNorm that follows it, or None."""
    found: list[tuple[Any, Any]] = []
    for layer in network.layers:
        if type(layer).__name__ in LAYERS:
            found.append((layer, None))
        elif type(layer).__name__ == "BatchNormalization":
            found[-1] = (found[-1][0], layer)
    return found


def _as_identity(norm: Any, bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gamma with which a BatchNorm of mean 0 and variance 1 gives on what it is given."""
    return np.full_like(bias, np.sqrt(1 + norm.epsilon))


def _normalise(network: Any, layers: list[tuple[Any, Any]], pictures: NDArray[np.float32]) -> None:
    """Let BatchNorms that only add normalise instead, and undo it by gamma and beta: the outputs stay the same."""
    import keras

    before = keras.Model(network.input, [norm.input for _, norm in layers])
    for (_, norm), seen in zip(layers, before.predict_on_batch(pictures), strict=True):
        _, beta, _, _ = norm.get_weights()
        axes = tuple(range(seen.ndim - 1))
        mean, variance = seen.mean(axes, dtype=np.float64), seen.var(axes, dtype=np.float64)
        norm.set_weights([np.sqrt(variance + norm.epsilon), beta + mean, mean, variance])
