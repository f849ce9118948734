"""Changes of a network's graph before TensorFlow's converter reads it: the softmax is cut, BatchNorms fit int8."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.networks.keras_model import PICTURE_AXES, VECTOR_AXES, Network

SOFTMAX = "Softmax"
PASSING = {"Identity"}  # operations that give on what they are given
LINEAR = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}  # the converter folds a BatchNorm into these
FUSED = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}  # as Keras 2 writes a BatchNorm
ADD = {"Add", "AddV2"}  # of Keras 3, after a Mul

Channels = NDArray[np.float32]  # (c,)


def frozen(network: Network) -> Any:
    """The network as one graph for one face, its variables made constants: only then do BatchNorms fold."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec((1, network.height, network.width, network.channels), tf.float32)
    return convert_variables_to_constants_v2(tf.function(network.call).get_concrete_function(spec))


def without_softmax(graph: Any) -> tuple[Any, bool]:
    """The graph up to its logits, and whether it had a final softmax to cut.

    An int8 softmax gives 256 steps from 0 to 1: an answer of 0.2 % and one of 0.05 % become the same. Its logits keep
    their own scale. Measured on three mini and big XCEPTION networks after fitting a temperature, log loss on
    PublicTest 0.983, 0.953, 0.967 from int8 logits against 0.986, 0.956, 0.977 from int8 probabilities.
    """
    operation = graph.outputs[0].op
    while operation.type in PASSING:
        operation = operation.inputs[0].op
    if operation.type != SOFTMAX:
        return graph, False
    return _function(graph.graph.as_graph_def(), graph.inputs[0].name, operation.inputs[0].name), True


def with_depthwise_batch_norms(graph: Any) -> Any:
    """The graph with each BatchNorm that does not fold into a layer before it as a depthwise convolution of 1x1.

    After an activation, a pooling or a sum the converter makes a BatchNorm MUL and ADD, whose constants and products
    have one int8 scale for all channels: channels with small factors lose their values. The weights of a depthwise
    convolution have a scale for each channel, and its sum has 32 bits.
    """
    definition = graph.graph.as_graph_def()
    nodes = {node.name: node for node in definition.node}
    norms = [norm for norm in _batch_norms(graph.graph) if not _folds(norm.source)]
    for norm in norms:
        _replace(definition, nodes[norm.last], norm)
    return _function(definition, graph.inputs[0].name, graph.outputs[0].name) if norms else graph


@dataclass(frozen=True, slots=True, eq=False)
class _BatchNorm:
    """source * factor + offset, by channel."""

    source: Any  # tensor (1, h, w, c) or (1, c)
    last: str  # name of the operation that gives the result
    factor: Channels
    offset: Channels


class _Constants:
    """The tensors of a graph that depend on no input."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._names: set[str] = set()
        for operation in graph.get_operations():  # each after those that it takes from
            inputs = list(operation.inputs)
            if operation.type == "Const" or (inputs and all(tensor in self for tensor in inputs)):
                self._names.update(tensor.name for tensor in operation.outputs)

    def __contains__(self, tensor: Any) -> bool:
        return tensor.name in self._names

    def by_channel(self, tensor: Any, channels: int) -> Channels | None:
        """The value of ``tensor`` where it is a constant with one number for each channel."""
        shape = tensor.shape
        if tensor not in self or not shape.rank or shape[-1] != channels or shape.num_elements() != channels:
            return None
        import tensorflow as tf

        with tf.compat.v1.Session(graph=self._graph) as session:
            return np.asarray(session.run(tensor), np.float32).reshape(channels)


def _batch_norms(graph: Any) -> list[_BatchNorm]:
    constants = _Constants(graph)
    found = (
        _fused(operation, constants) if operation.type in FUSED else _multiplied(operation, constants)
        for operation in graph.get_operations()
    )
    return [norm for norm in found if norm is not None]


def _fused(operation: Any, constants: _Constants) -> _BatchNorm | None:
    if operation.get_attr("is_training") or operation.get_attr("data_format") != b"NHWC":
        return None
    source, *parameters = operation.inputs
    gamma, beta, mean, variance = (constants.by_channel(tensor, source.shape[-1]) for tensor in parameters)
    if gamma is None or beta is None or mean is None or variance is None:
        return None
    factor = gamma / np.sqrt(variance + np.float32(operation.get_attr("epsilon")))
    return _BatchNorm(source, operation.name, factor, beta - mean * factor)


def _multiplied(operation: Any, constants: _Constants) -> _BatchNorm | None:
    """The BatchNorm of a Mul by a constant whose product goes into one Add of a constant."""
    consumers = operation.outputs[0].consumers() if operation.type == "Mul" else []
    if len(consumers) != 1 or consumers[0].type not in ADD:
        return None
    source = next((tensor for tensor in operation.inputs if tensor not in constants), None)
    if source is None or source.shape.rank not in (VECTOR_AXES, PICTURE_AXES):
        return None
    channels = source.shape[-1]
    factor, offset = (
        next((value for tensor in inputs if (value := constants.by_channel(tensor, channels)) is not None), None)
        for inputs in (operation.inputs, consumers[0].inputs)
    )
    return None if factor is None or offset is None else _BatchNorm(source, consumers[0].name, factor, offset)


def _folds(source: Any) -> bool:
    """Return whether the converter folds a BatchNorm of ``source`` into the layer that gives it."""
    while source.op.type in {"BiasAdd", *PASSING} and len(source.consumers()) == 1:
        source = source.op.inputs[0]
    return source.op.type in LINEAR and len(source.consumers()) == 1


def _replace(definition: Any, node: Any, norm: _BatchNorm) -> None:
    """Make ``node``, the last one of ``norm``, the sum of a depthwise convolution and the offset."""
    import tensorflow as tf

    shape = [1, 1, 1, len(norm.factor)] if norm.source.shape.rank == VECTOR_AXES else norm.source.shape
    with tf.Graph().as_default() as made, tf.name_scope(f"{norm.last}/depthwise/") as scope:
        source = tf.compat.v1.placeholder(tf.float32, norm.source.shape, "source")
        product = tf.raw_ops.DepthwiseConv2dNative(
            input=tf.reshape(source, shape),
            filter=tf.constant(norm.factor.reshape(1, 1, -1, 1)),
            strides=[1, 1, 1, 1],
            padding="VALID",
        )
        tf.reshape(tf.nn.bias_add(product, norm.offset), norm.source.shape, name="result")
    for new in made.as_graph_def().node:
        new.input[:] = [norm.source.name if name == f"{scope}source" else name for name in new.input]
        if new.name == f"{scope}result":
            node.CopyFrom(new)
            node.name = norm.last
        elif new.name != f"{scope}source":
            definition.node.append(new)


def _function(definition: Any, input_name: str, output_name: str) -> Any:
    """A graph as a function from one of its tensors to another."""
    import tensorflow as tf

    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    return imported.prune(*(imported.graph.get_tensor_by_name(name) for name in (input_name, output_name)))
