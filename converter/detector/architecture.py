"""The detector's network: fully convolutional, so that one file runs at every size whose sides are multiples of 32.

(n, h, w, 3) float32 BGR in, ``(pixel - 128) / 128``; (n, h / 8, w / 8, 5) float32 from 0 to 6 out, one row of five for
each cell of 8 x 8 pixels: what `fer_edge.vision.cells` makes faces of.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fer_edge.vision.cells import CHANNELS, MIDDLE, SCORE_GAIN

NAME = "face"
DEEPEST_STRIDE = 32  # sides of the input are multiples of it: stages are added to one another
LARGEST = 6.0  # of a ReLU6, which TFLite fuses into the convolution
EXPECTED = 0.01  # share of the cells that a fresh network takes for a face (Lin et al. 2017, "Focal Loss")
EXPECTED_REACH = 1.5  # cells from a face's centre to its edges that it takes such a face to have

Upsample = Callable[[Any], Any]  # (n, h, w, 4 c) to (n, 2 h, 2 w, c)


def build(upsample: Upsample | None = None) -> Any:
    """The Keras model with fresh weights from Keras' global seed; 255 k parameters, 43 M multiply-adds at 160 x 128.

    ``upsample`` takes the place of `depth_to_space`, for a converter that knows the operation by its own name.

    Plain 3x3 convolutions, narrow where the picture is large; what the strides 16 and 32 see of a face's surroundings
    is added back to stride 8, where every face is found, whatever its size (Lin et al. 2017, "Feature Pyramid
    Networks"). Enlarging is a 1x1 convolution and depth_to_space: a resize would fix the size of the picture.
    """
    import keras
    from keras import layers

    enlarged = upsample or depth_to_space

    def convolved(x: Any, filters: int, stride: int = 1, kernel: int = 3) -> Any:
        convolution = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")
        return layers.BatchNormalization(momentum=0.97)(convolution(x))

    def relu(x: Any) -> Any:
        return layers.ReLU()(x)

    def pair(x: Any) -> Any:
        width = x.shape[-1]
        return relu(layers.Add()([x, convolved(relu(convolved(x, width)), width)]))

    inputs = layers.Input((None, None, 3), name="picture")
    x = relu(convolved(inputs, 16, 2))
    x = relu(convolved(x, 32, 2))
    at_8 = pair(relu(convolved(x, 48, 2)))
    at_16 = pair(relu(convolved(at_8, 64, 2)))
    at_32 = relu(convolved(relu(convolved(at_16, 48, 2)), 48))
    at_16 = relu(layers.Add()([at_16, enlarged(convolved(at_32, 4 * 64, kernel=1))]))
    at_8 = relu(layers.Add()([at_8, enlarged(convolved(at_16, 4 * 48, kernel=1))]))
    x = relu(convolved(at_8, 48))
    cells = layers.Conv2D(CHANNELS, 1, bias_initializer=_first_bias, name="cells")(x)
    return keras.Model(inputs, layers.ReLU(LARGEST)(cells), name=NAME)


def depth_to_space(x: Any) -> Any:
    """(n, h, w, 4 c) to (n, 2 h, 2 w, c): each cell's four groups of channels become its four quarters, row by row."""
    from keras import layers

    class DepthToSpace(layers.Layer):  # type: ignore[misc]  # Keras ships no types
        def call(self, x: Any) -> Any:
            from keras import ops

            n, h, w, c = ops.shape(x)
            x = ops.transpose(ops.reshape(x, (n, h, w, 2, 2, c // 4)), (0, 1, 3, 2, 4, 5))
            return ops.reshape(x, (n, 2 * h, 2 * w, c // 4))

        def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            n, h, w, c = shape
            return (n, h and 2 * h, w and 2 * w, c // 4 if c else None)

    return DepthToSpace()(x)


def _first_bias(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """So that a fresh network says: hardly ever a face, and if, a small one."""
    from keras import ops

    score = MIDDLE + np.log(EXPECTED / (1 - EXPECTED)) / SCORE_GAIN
    bias = np.full(shape, MIDDLE + np.log(EXPECTED_REACH))
    bias[0] = score
    return ops.convert_to_tensor(bias, dtype)
