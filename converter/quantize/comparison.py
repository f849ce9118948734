"""The operation at which an int8 file diverges from its network: results compared one by one, in the worker process."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.networks.inference import Source, loaded_and_inferred
from converter.networks.keras_model import network_input
from converter.networks.worker import Report
from converter.quantize.convert import Target, graph_of, named_tflite
from fer_edge.vision.interpreter import TensorSpec, dequantize, quantize

COMPARED = 32  # faces; differences of a whole operation show with fewer
WRAPPERS = {"StatefulPartitionedCall", "PartitionedCall"}  # what the converter puts before a layer's name
NO_LABELS = np.zeros(COMPARED, np.int64)


class _Operation(NamedTuple):
    kind: str  # such as `MUL`
    inputs: tuple[str, ...]  # names of tensors
    output: str


def diverging_operation(source: Source, target: Target, representative: NDArray[np.uint8], report: Report) -> str:
    """Describe the operation of the TFLite file that adds most to the error; ``source`` has its layout.

    Empty where no result of the file has a counterpart in the float network.
    """
    faces = representative[:: max(1, len(representative) // COMPARED)][:COMPARED]
    unlabelled = Faces(faces, NO_LABELS[: len(faces)], np.full(len(faces), ""), NO_LABELS[: len(faces)])
    network, original = loaded_and_inferred(source, unlabelled, report)
    report("looking for the operation at which the answers part")
    graph, _ = graph_of(network, target)
    given = network_input(representative, network, original.scaling)
    pictures = network_input(faces, network, original.scaling)
    operations, quantized = _results(named_tflite(graph, target, given, str(source.model)), pictures)
    _, exact = _results(named_tflite(graph, None, given, str(source.model)), pictures)
    errors = {name: relative_error(quantized[name], exact[name]) for name in quantized if name in exact}
    added = [
        errors[operation.output] - max((errors.get(name, 0.0) for name in operation.inputs), default=0.0)
        if operation.output in errors
        else 0.0
        for operation in operations
    ]
    if not any(added):
        return ""
    number = int(np.argmax(added))
    found = operations[number]
    return f"operation {number + 1} of {len(operations)}, {found.kind} of {_layer(found.output)}"


def relative_error(result: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    """The error of ``result`` (n, ..., c), 0 to 1: by channel, over the channel's standard deviation, their mean.

    A channel without variance tells nothing and is left out.
    """
    axes = tuple(range(exact.ndim - 1))
    deviation = exact.std(axis=axes)
    error = np.sqrt(np.square(result - exact).mean(axis=axes))
    varying = deviation > 0
    return float(np.minimum(error[varying] / deviation[varying], 1.0).mean()) if varying.any() else 0.0


def _results(content: bytes, pictures: NDArray[np.float32]) -> tuple[list[_Operation], dict[str, NDArray[np.float32]]]:
    """The operations of a TFLite file, and the result (n, ...) of each for ``pictures`` (n, h, w, c) by its name."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    tensors = {tensor["index"]: (tensor["name"], _spec(tensor)) for tensor in interpreter.get_tensor_details()}
    details: Callable[[], list[dict[str, Any]]] = interpreter._get_ops_details  # noqa: SLF001  no public way exists
    operations = [
        _Operation(
            operation["op_name"],
            tuple(tensors[index][0] for index in operation["inputs"] if index in tensors),
            tensors[operation["outputs"][0]][0],
        )
        for operation in details()
    ]
    outputs = [operation["outputs"][0] for operation in details()]
    entrance = interpreter.get_input_details()[0]["index"]
    results: dict[str, list[NDArray[np.float32]]] = {operation.output: [] for operation in operations}
    for picture in pictures:
        interpreter.set_tensor(entrance, quantize(picture[None], tensors[entrance][1]))
        interpreter.invoke()
        for output in outputs:
            name, spec = tensors[output]
            results[name].append(dequantize(interpreter.get_tensor(output), spec))
    return operations, {name: np.concatenate(found) for name, found in results.items()}


def _spec(tensor: dict[str, Any]) -> TensorSpec:
    scale, zero_point = tensor["quantization"]
    return TensorSpec(tuple(tensor["shape"].tolist()), np.dtype(tensor["dtype"]), scale, zero_point)


def _layer(tensor: str) -> str:
    """The layer of a tensor, `sequential/conv2d/Relu;...`: its path without the operation."""
    path = [part for part in tensor.split(";", maxsplit=1)[0].split("/") if part not in WRAPPERS]
    return "/".join(path[:-1]) or tensor
