"""Conversion of a Keras network to a TFLite file, in the worker process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.networks.identify import one_line
from converter.networks.inference import Inference, Source, loaded_and_inferred
from converter.networks.keras_model import CURE, Network, network_input
from converter.networks.layout import OutputKind
from converter.networks.worker import Report
from fer_edge.errors import UserError

SOFTMAX = "Softmax"
PASSING = {"Identity"}  # operations that give on what they are given

Kind = Literal["int8", "float16", "dynamic"]


@dataclass(frozen=True, slots=True)
class Target:
    """The TFLite file that is wanted."""

    kind: Kind = "int8"
    float_io: bool = False  # float32 input and output around an int8 network


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """A TFLite file and the network that it was made from."""

    original: Inference
    content: bytes
    output: OutputKind  # of the file
    softmax_cut: bool
    tensorflow: str  # version


def convert(
    source: Source, target: Target, faces: Faces, representative: NDArray[np.uint8], report: Report
) -> Conversion:
    """Convert the network of ``source``; its own outputs for ``faces`` come with the file.

    ``representative`` (m, 48, 48) set the scales of an int8 file.
    """
    import tensorflow as tf

    network, original = loaded_and_inferred(source, faces, report)
    report(f"converting to {target.kind}")
    pictures = network_input(representative, network, original.scaling)
    content, cut = tflite_of(network, target, pictures, str(source.model))
    return Conversion(original, content, "logits" if cut else original.kind, cut, str(tf.__version__))


def tflite_of(network: Network, target: Target, representative: NDArray[np.float32], name: str) -> tuple[bytes, bool]:
    """Return the TFLite file of ``network``, and whether a softmax was cut.

    ``representative`` (m, h, w, c) are inputs of the network; ``name`` begins the message of the UserError.
    """
    import tensorflow as tf

    graph, cut = _without_softmax(_frozen(network))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target.kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if target.kind == "int8":

        def samples() -> Iterator[list[NDArray[np.float32]]]:
            for face in representative:
                yield [face[None]]

        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if not target.float_io:
            converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises RuntimeError, ValueError and its own ConverterError
        reason = CURE if _in_half_precision(graph) else one_line(error)
        raise UserError(f"{name}: TensorFlow cannot convert this network: {reason}") from error
    return without_names(content), cut


def without_names(content: bytes) -> bytes:
    """The TFLite file without its tensors' names, each the path of a layer: 5 % of a small network's bytes."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    flatbuffer_utils.strip_strings(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _frozen(network: Network) -> Any:
    """The network as one graph for one face, its variables made constants: only then do BatchNorms fold."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec((1, network.height, network.width, network.channels), tf.float32)
    return convert_variables_to_constants_v2(tf.function(network.call).get_concrete_function(spec))


def _in_half_precision(graph: Any) -> bool:
    """Return whether a graph computes in half precision, which cannot be changed in a SavedModel."""
    import tensorflow as tf

    tensors = (tensor for operation in graph.graph.get_operations() for tensor in operation.outputs)
    return any(tensor.dtype in (tf.float16, tf.bfloat16) for tensor in tensors)


def _without_softmax(frozen: Any) -> tuple[Any, bool]:
    """The graph up to its logits, and whether it had a final softmax to cut.

    An int8 softmax gives 256 steps from 0 to 1: an answer of 0.2 % and one of 0.05 % become the same. Its logits keep
    their own scale. Measured on three mini and big XCEPTION networks after fitting a temperature, log loss on
    PublicTest 0.983, 0.953, 0.967 from int8 logits against 0.986, 0.956, 0.977 from int8 probabilities.
    """
    import tensorflow as tf

    operation = frozen.outputs[0].op
    while operation.type in PASSING:
        operation = operation.inputs[0].op
    if operation.type != SOFTMAX:
        return frozen, False
    definition = frozen.graph.as_graph_def()
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    tensors = [imported.graph.get_tensor_by_name(tensor.name) for tensor in (frozen.inputs[0], operation.inputs[0])]
    return imported.prune(*tensors), True
