"""The graph in a SavedModel folder: loaded without building a layer, after its operations were looked at."""

from pathlib import Path
from typing import Any, NamedTuple

from converter.keras_files import one_line
from fer_edge.errors import UserError

# A SavedModel is a program. These of its instructions reach outside the graph; Keras writes none of them.
FORBIDDEN_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "LoadLibrary"}


class Graph(NamedTuple):
    """A SavedModel's serving signature: its only input and output are tensors with the batch as their first axis."""

    call: Any  # TensorFlow tensor or array to tensor
    inputs: Any  # tf.TensorShape
    outputs: Any  # tf.TensorShape
    reader: str


def load_graph(path: Path) -> Graph:
    """The serving signature in the folder ``path``.

    Raises UserError where it is damaged, reaches outside itself, or has not one input and one output.
    """
    import tensorflow as tf

    forbidden = _operations(path) & FORBIDDEN_OPS
    if forbidden:
        raise UserError(
            f"{path}: its graph reaches outside itself ({', '.join(sorted(forbidden))}): code in model files is "
            "never run; rebuild the network from Keras' own layers and save it again"
        )
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow has no common class for what can be wrong in the folder
        raise UserError(f"{path}: TensorFlow cannot load this SavedModel: {one_line(error)}") from error
    signatures = dict(loaded.signatures)
    signature = signatures.get("serving_default") or next(iter(signatures.values()), None)
    if signature is None:
        raise UserError(f"{path}: has no serving signature; save it again with model.export()")
    inputs = signature.structured_input_signature[1]
    outputs = signature.structured_outputs
    check_one_each(path, len(inputs), len(outputs))
    (input_name, spec), (output_name, output) = next(iter(inputs.items())), next(iter(outputs.items()))

    def call(images: Any, keep: Any = loaded) -> Any:  # the variables live as long as `loaded` does
        # A signature takes nothing but its own dtype; uint8 is that of networks which scale pixels themselves.
        given = tf.cast(tf.convert_to_tensor(images), spec.dtype)
        return keep and tf.cast(signature(**{input_name: given})[output_name], tf.float32)

    return Graph(call, spec.shape, output.shape, f"TensorFlow {tf.__version__}")


def check_one_each(path: Path, inputs: int, outputs: int) -> None:
    """Raise UserError where a network has several inputs or outputs."""
    if (inputs, outputs) != (1, 1):
        raise UserError(
            f"{path}: has {inputs} inputs and {outputs} outputs; an expression network has one picture as its "
            "input and one vector as its output"
        )


def _operations(path: Path) -> set[str]:
    """The names of all operations in a SavedModel, its functions included, read without loading it."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    program = SavedModel()
    try:
        program.ParseFromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise UserError(f"{path}: saved_model.pb is damaged or truncated; copy it again") from error
    graphs = [meta.graph_def for meta in program.meta_graphs]
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for function in graph.library.function for node in function.node_def]
    return {node.op for node in nodes}
