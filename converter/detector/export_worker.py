"""The process that turns a detector into an int8 TFLite file: `python -m converter.detector.export_worker FOLDER`.

As `converter.quantize.convert`, apart because TensorFlow is: slow to start, large, and loud.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.detector import architecture as network
from converter.detector.batches import inputs
from converter.networks.worker import done
from converter.quantize import job as quantize_job
from converter.quantize.convert import without_names
from converter.train.weights import load_weights

PICTURES = "pictures.npy"  # (n, h, w, 3) uint8 BGR, by whose activations the int8 scales are set
WEIGHTS = "face.weights.h5"


def main(folder: Path) -> int:
    """Convert WEIGHTS in ``folder``; 0, or 1 after an error that a user can cure, which was said on the pipe."""
    return done(folder, _work)


def _work(folder: Path, say: Callable[[str], None]) -> None:
    pictures = np.load(folder / PICTURES)
    say("converting to int8")
    (folder / quantize_job.TFLITE).write_bytes(converted(folder / WEIGHTS, pictures))


def converted(weights: Path, pictures: NDArray[np.uint8]) -> bytes:
    """The int8 file; its picture has the size of ``pictures`` until the runtime is told another."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = network.build(_tensorflow_depth_to_space)
    load_weights(model, weights)
    spec = tf.TensorSpec((1, *pictures.shape[1:]), tf.float32)
    graph = tf.function(lambda picture: model(picture, training=False)).get_concrete_function(spec)
    frozen = convert_variables_to_constants_v2(graph)  # only of constants do BatchNorms fold
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for picture in pictures:
            yield [inputs(picture[None])]

    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return without_names(converter.convert())


def _tensorflow_depth_to_space(x: Any) -> Any:
    """One operation of TFLite; of Keras' own reshapes the converter would make a picture of one size."""
    import tensorflow as tf
    from keras import layers

    class DepthToSpace(layers.Layer):  # type: ignore[misc]  # Keras ships no types
        def call(self, x: Any) -> Any:
            return tf.nn.depth_to_space(x, 2)

    return DepthToSpace()(x)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
