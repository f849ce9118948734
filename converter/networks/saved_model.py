"""The graph in a SavedModel folder: checked against an allow-list of operations before TensorFlow loads it.

A SavedModel is a program. TensorFlow loads a copy made here, which holds nothing but the functions that were checked:
no function that saves or restores files, and no second description (saved_model.cpb) beside the one that was read.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from converter.networks.identify import one_line
from fer_edge.errors import UserError
from fer_edge.untrusted import read_regular

MAX_GRAPH_BYTES = 2**31  # the limit of protocol buffers
GRAPH, VARIABLES = "saved_model.pb", "variables"
CURE = "code in model files is never run; rebuild the network from Keras' own layers and save it again"

# Operations that compute on tensors and on the variables of the model. None opens a file, a socket or an interpreter,
# prints, or holds text. Collected from what Keras 2, Keras 3 and TensorFlow write for their layers, preprocessing and
# recurrent ones included, with the other operations of the same families.
ALLOWED_OPERATIONS = {
    "Const", "Identity", "IdentityN", "NoOp", "Placeholder", "PlaceholderWithDefault", "StopGradient",
    "PreventGradient", "EnsureShape", "Cast", "Bitcast", "PartitionedCall", "StatefulPartitionedCall", "If",
    "StatelessIf", "While", "StatelessWhile", "Case", "StatelessCase", "Assert", "Switch", "Merge", "Enter", "Exit",
    "NextIteration", "LoopCond", "VarHandleOp", "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp",
    "AssignSubVariableOp", "VarIsInitializedOp", "VariableShape", "ResourceGather", "Conv2D", "Conv2DBackpropInput",
    "Conv3D", "DepthwiseConv2dNative", "Dilation2D", "BiasAdd", "BiasAddV1", "MatMul", "BatchMatMul",
    "BatchMatMulV2", "BatchMatMulV3", "Einsum", "AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D", "MaxPoolV2",
    "MaxPoolWithArgmax", "FractionalAvgPool", "FractionalMaxPool", "FusedBatchNorm", "FusedBatchNormV2",
    "FusedBatchNormV3", "LRN", "L2Loss", "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softmax",
    "LogSoftmax", "Softplus", "Softsign", "Erf", "Erfc", "Erfinv", "Abs", "Neg", "Sign", "Square", "Sqrt", "Rsqrt",
    "Reciprocal", "Inv", "Exp", "Expm1", "Log", "Log1p", "Pow", "Add", "AddV2", "AddN", "Sub", "Mul", "MulNoNan",
    "Div", "DivNoNan", "RealDiv", "FloorDiv", "FloorMod", "Mod", "TruncateDiv", "TruncateMod", "Maximum", "Minimum",
    "SquaredDifference", "Xlogy", "Xdivy", "Round", "Rint", "Floor", "Ceil", "Sin", "Cos", "Tan", "Sinh", "Cosh",
    "Asin", "Acos", "Atan", "Atan2", "Asinh", "Acosh", "Atanh", "ClipByValue", "IsFinite", "IsInf", "IsNan",
    "Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "ApproximateEqual", "LogicalAnd",
    "LogicalOr", "LogicalNot", "Select", "SelectV2", "Where", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift",
    "RightShift", "Sum", "Mean", "Max", "Min", "Prod", "All", "Any", "EuclideanNorm", "ArgMax", "ArgMin", "Cumsum",
    "Cumprod", "TopK", "TopKV2", "UnsortedSegmentSum", "SegmentSum", "SegmentMean", "Bincount", "DenseBincount",
    "Bucketize", "Shape", "ShapeN", "Size", "Rank", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Concat",
    "ConcatV2", "ConcatOffset", "Split", "SplitV", "Pack", "Unpack", "Pad", "PadV2", "MirrorPad", "Slice",
    "StridedSlice", "Gather", "GatherV2", "GatherNd", "ScatterNd", "TensorScatterUpdate", "TensorScatterAdd",
    "Tile", "BroadcastTo", "BroadcastArgs", "Fill", "ZerosLike", "OnesLike", "Range", "LinSpace", "OneHot",
    "Reverse", "ReverseV2", "ReverseSequence", "Roll", "InvertPermutation", "MatrixBandPart", "MatrixDiag",
    "MatrixDiagV3", "MatrixDiagPartV3", "BatchToSpace", "BatchToSpaceND", "SpaceToBatch", "SpaceToBatchND",
    "DepthToSpace", "SpaceToDepth", "Unique", "UniqueV2", "DynamicStitch", "DynamicPartition",
    "ExtractImagePatches", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea",
    "CropAndResize", "ImageProjectiveTransformV2", "ImageProjectiveTransformV3", "AdjustContrastv2", "AdjustHue",
    "AdjustSaturation", "RGBToHSV", "HSVToRGB", "TensorListFromTensor", "TensorListGetItem", "TensorListSetItem",
    "TensorListReserve", "TensorListStack", "TensorListLength", "TensorListElementShape", "EmptyTensorList",
    "TensorListPushBack", "TensorListPopBack", "RandomUniform", "RandomUniformInt", "RandomStandardNormal",
    "TruncatedNormal", "RngReadAndSkip", "RngSkip", "StatelessRandomUniform", "StatelessRandomUniformInt",
    "StatelessRandomNormal", "StatelessRandomUniformV2", "StatelessRandomUniformIntV2",
    "StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2", "StatelessRandomNormalV2",
    "StatelessTruncatedNormal", "StatelessTruncatedNormalV2", "StatelessRandomGetAlg",
    "StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg", "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars",
    "FakeQuantWithMinMaxVarsPerChannel",
}  # fmt: skip


class Graph(NamedTuple):
    """A SavedModel's serving signature: its only input and output are tensors with the batch as their first axis."""

    call: Any  # TensorFlow tensor or array to tensor
    inputs: Any  # tf.TensorShape
    outputs: Any  # tf.TensorShape
    reader: str


def load_graph(path: Path) -> Graph:
    """Load the serving signature in the folder ``path``.

    Raises UserError where it is damaged, has an operation that is not in `ALLOWED_OPERATIONS`, or has not one input and
    one output.
    """
    import tensorflow as tf

    content = _checked(path)
    with _copy(path, content) as copy:
        try:
            loaded = tf.saved_model.load(copy)
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


def _checked(path: Path) -> bytes:
    """Return the SavedModel's program, reduced to the functions that its objects reach; all of these were checked."""
    from google.protobuf.message import DecodeError, EncodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    program = SavedModel()
    try:
        program.ParseFromString(read_regular(path / GRAPH, MAX_GRAPH_BYTES))
    except (OSError, DecodeError) as error:
        raise UserError(f"{path}: {GRAPH} is damaged or truncated; copy it again ({one_line(error)})") from error
    if len(program.meta_graphs) != 1 or not program.meta_graphs[0].HasField("object_graph_def"):
        raise UserError(f"{path}: is no SavedModel of TensorFlow 2; load it there and save it again")
    graph = program.meta_graphs[0].graph_def
    library = {function.signature.name: function for function in graph.library.function}
    reached = _reached(library, program.meta_graphs[0].object_graph_def.concrete_functions, path)
    operations = {node.op for name in reached for node in library[name].node_def} - library.keys()
    if forbidden := operations - ALLOWED_OPERATIONS:
        raise UserError(
            f"{path}: its graph has operations that are not allowed ({', '.join(sorted(forbidden))}): {CURE}"
        )
    kept = [library[name] for name in library if name in reached]
    constants = [node for node in graph.node if node.op == "Const"]  # the objects' own constants are nodes
    del graph.library.function[:], graph.library.gradient[:], graph.node[:]
    graph.library.function.extend(kept)
    graph.node.extend(constants)
    try:
        return bytes(program.SerializeToString())
    except EncodeError as error:
        raise UserError(f"{path}: {GRAPH} is damaged ({one_line(error)})") from error


def _reached(library: dict[str, Any], roots: Any, path: Path) -> set[str]:
    """Return the names of the functions that ``roots`` call, at any depth.

    A function is called by its name as an operation, or by an attribute of an operation such as If and PartitionedCall.
    """
    reached: set[str] = set()
    ahead = list(roots)
    while ahead:
        name = ahead.pop()
        if name in reached:
            continue
        if name not in library:  # TensorFlow would look for an operation of this name and run that
            raise UserError(f"{path}: calls {name!r}, which is not one of its functions: {CURE}")
        reached.add(name)
        ahead += [called for node in library[name].node_def for called in _called(node, library)]
    return reached


def _called(node: Any, library: dict[str, Any]) -> Iterator[str]:
    if node.op in library:
        yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)


@contextmanager
def _copy(path: Path, content: bytes) -> Iterator[str]:
    """Give a SavedModel folder of ``content`` and the variables of ``path``, and of nothing else in it."""
    variables = path / VARIABLES
    for file in variables.iterdir() if variables.is_dir() else ():
        if not stat.S_ISREG(file.stat().st_mode):
            raise UserError(f"{file}: is not a regular file; copy the SavedModel again")
    with TemporaryDirectory(prefix="fer-convert-") as folder:
        (Path(folder) / GRAPH).write_bytes(content)
        if variables.is_dir():
            (Path(folder) / VARIABLES).symlink_to(variables.resolve())
        yield folder
