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
from converter.quantize.graph import frozen, with_depthwise_batch_norms, without_softmax
from fer_edge.errors import UserError

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
    graph, cut = graph_of(network, target)
    return without_names(named_tflite(graph, target, representative, name)), cut


def graph_of(network: Network, target: Target) -> tuple[Any, bool]:
    """Return the graph that is converted, and whether a softmax was cut."""
    graph = frozen(network)
    if target.kind == "int8":
        graph = with_depthwise_batch_norms(graph)
    return without_softmax(graph)


def named_tflite(graph: Any, target: Target | None, representative: NDArray[np.float32], name: str) -> bytes:
    """Return the TFLite file of ``graph`` with the names of its tensors; float32 without a ``target``."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    if target:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target and target.kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if target and target.kind == "int8":

        def samples() -> Iterator[list[NDArray[np.float32]]]:
            for face in representative:
                yield [face[None]]

        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if not target.float_io:
            converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter raises RuntimeError, ValueError and its own ConverterError
        reason = CURE if _in_half_precision(graph) else one_line(error)
        raise UserError(f"{name}: TensorFlow cannot convert this network: {reason}") from error


def without_names(content: bytes) -> bytes:
    """The TFLite file without its tensors' names, each the path of a layer: 5 % of a small network's bytes."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    flatbuffer_utils.strip_strings(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _in_half_precision(graph: Any) -> bool:
    """Return whether a graph computes in half precision, which cannot be changed in a SavedModel."""
    import tensorflow as tf

    tensors = (tensor for operation in graph.graph.get_operations() for tensor in operation.outputs)
    return any(tensor.dtype in (tf.float16, tf.bfloat16) for tensor in tensors)
