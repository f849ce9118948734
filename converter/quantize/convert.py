"""The one process that converts: `python -m converter.quantize.convert FOLDER`, started by the commands.

TensorFlow prints to both streams from Python and C++ and takes seconds and a gigabyte; here it does so alone. Lines on
standard output are this module's: stages for a person. The libraries' noise is sent to standard error.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.networks.identify import identify, one_line
from converter.networks.keras_model import Network, check_classes, fed, load
from converter.networks.layout import Scaling, choose_layout, output_kind
from converter.networks.precision import CURE
from converter.networks.worker import done
from converter.quantize import job as quantize_job
from converter.quantize.job import Job, Result
from fer_edge.errors import UserError

SOFTMAX = "Softmax"
PASSING = {"Identity"}  # operations that give on what they are given


def main(folder: Path) -> int:
    """Do the job in ``folder``; 0, or 1 after an error that a user can cure, which was said on the pipe."""
    return done(folder, _work)


def _work(folder: Path, say: Callable[[str], None]) -> None:
    job = quantize_job.read_job(folder)
    file = identify(job.model, job.weights, untrained=job.untrained)
    say(f"reading {file}")
    network = load(file)
    check_classes(network, str(job.model))
    with np.load(folder / quantize_job.FACES) as arrays:
        asked, truth, representative = arrays["asked"], arrays["truth"], arrays["representative"]

    def ask(scaling: Scaling, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return network.ask(asked[indices], scaling)

    layout, found = choose_layout(ask, truth, job.scaling, job.labels)
    say(f"asking the network about {len(asked)} faces")
    outputs = network.ask(asked, layout.scaling)
    if not np.isfinite(outputs).all():
        raise UserError(f"{job.model}: answers with numbers that are not finite; its weights are damaged")
    np.save(folder / quantize_job.OUTPUTS, outputs)
    cut, tensorflow = False, ""
    if job.kind:
        say(f"converting to {job.kind}")
        cut, tensorflow = _convert(network, job, fed(representative, network, layout.scaling), folder)
    result = Result(
        description=network.description,
        height=network.height,
        width=network.width,
        channels=network.channels,
        scaling=layout.scaling,
        labels=layout.labels,
        found=found,
        original=output_kind(outputs),
        output="logits" if cut else output_kind(outputs),
        softmax_cut=cut,
        tensorflow=tensorflow,
    )
    quantize_job.write_struct(result, folder / quantize_job.RESULT)


def _convert(network: Network, job: Job, representative: NDArray[np.float32], folder: Path) -> tuple[bool, str]:
    """Write the TFLite file; gives whether a softmax was cut, and TensorFlow's version."""
    import tensorflow as tf

    graph, cut = _without_softmax(_frozen(network))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job.kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if job.kind == "int8":

        def samples() -> Iterator[list[NDArray[np.float32]]]:
            for face in representative:
                yield [face[None]]

        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if not job.float_io:
            converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises RuntimeError, ValueError and its own ConverterError
        reason = CURE if _in_half_precision(graph) else one_line(error)
        raise UserError(f"{job.model}: TensorFlow cannot convert this network: {reason}") from error
    (folder / quantize_job.TFLITE).write_bytes(without_names(content))
    return cut, str(tf.__version__)


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
    """Whether a graph computes in half precision: a SavedModel's cannot be told to do otherwise."""
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


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
