"""Face detector in Keras: network, training targets and loss.

The network is fully convolutional, so that one file runs at every size whose sides are multiples of 32: (n, h, w, 3)
float32 BGR in, ``(pixel - 128) / 128``; (n, h / 8, w / 8, 5) float32 from 0 to 6 out, five numbers for each cell of
8 x 8 pixels, which `fer_edge.vision.box_decoding` decodes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.detector.dataset import Boxes
from fer_edge.vision.box_decoding import CHANNELS, MIDDLE, SCORE_GAIN, STRIDE

NAME = "face"
DEEPEST_STRIDE = 32  # sides of the input are multiples of it: stages are added to one another
LARGEST = 6.0  # of a ReLU6, which TFLite fuses into the convolution
EXPECTED = 0.01  # share of the cells that a fresh network takes for a face (Lin et al. 2017, "Focal Loss")
EXPECTED_REACH = 1.5  # cells from a face's centre to its edges that it takes such a face to have

Upsample = Callable[[Any], Any]  # (n, h, w, 4 c) to (n, 2 h, 2 w, c)
TARGETS = 6  # is a face, weight of the score, and the logarithms of four distances to the box's sides
MIDDLE_PART = 0.18  # of a face's sides to either side of its centre: cells there are positive
UNSURE_PART = 0.35  # beyond that and up to here cells have no weight
MIDDLE_PX, UNSURE_PX = STRIDE / 2, 0.75 * STRIDE  # at least: one cell has the centre of the smallest face
LEAST_REACH = 0.06  # cells; a smallest face may lie to one side of its cell's centre
FACES = 0.4  # share of the faces in the loss of the scores, against 0.6 of what is none
GAMMA = 2.0  # how little what is known already counts (Lin et al. 2017, "Focal Loss for Dense Object Detection")
BOXES = 1.5  # weight of the boxes against the scores


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
    """Initial bias: low scores and small boxes, as faces are rare."""
    from keras import ops

    score = MIDDLE + np.log(EXPECTED / (1 - EXPECTED)) / SCORE_GAIN
    bias = np.full(shape, MIDDLE + np.log(EXPECTED_REACH))
    bias[0] = score
    return ops.convert_to_tensor(bias, dtype)


def targets(faces: Boxes, ignored: Boxes, height: int, width: int) -> NDArray[np.float32]:
    """(h / 8, w / 8, 6) float32 for a picture of ``height`` and ``width`` pixels.

    Where faces overlap, the smaller one has the cell: it has fewer. A face counts the square root of its cells, so
    that near ones do not drown far ones.
    """
    rows, columns = np.mgrid[: height // STRIDE, : width // STRIDE].astype(np.float32)
    x, y = (columns + 0.5) * STRIDE, (rows + 0.5) * STRIDE
    wanted = np.zeros((*rows.shape, TARGETS), np.float32)
    wanted[..., 1] = 1.0
    for left, top, right, bottom in ignored:
        wanted[
            (x > left - STRIDE / 2) & (x < right + STRIDE / 2) & (y > top - STRIDE / 2) & (y < bottom + STRIDE / 2), 1
        ] = 0
    sides = faces[:, 2:] - faces[:, :2]
    for left, top, right, bottom in faces[np.argsort(-sides.prod(axis=1), kind="stable")]:
        w, h = right - left, bottom - top
        off_x, off_y = np.abs(x - (left + right) / 2), np.abs(y - (top + bottom) / 2)
        unsure = (off_x <= max(UNSURE_PART * w, UNSURE_PX)) & (off_y <= max(UNSURE_PART * h, UNSURE_PX))
        middle = (off_x <= max(MIDDLE_PART * w, MIDDLE_PX)) & (off_y <= max(MIDDLE_PART * h, MIDDLE_PX))
        wanted[unsure & (wanted[..., 0] == 0), 1] = 0
        reaches = np.stack([x - left, y - top, right - x, bottom - y], axis=-1)[middle] / STRIDE
        wanted[middle, 0] = 1
        wanted[middle, 1] = max(1, middle.sum()) ** -0.5
        wanted[middle, 2:] = np.log(np.maximum(reaches, LEAST_REACH))
    return wanted


def detection_loss(wanted: Any, outputs: Any) -> Any:
    """One number for a batch: focal loss of the scores, and 1 - intersection over union of the faces' boxes.

    ``wanted`` (n, h, w, 6) of `targets`, ``outputs`` (n, h, w, 5) of the network. Both parts are divided by the
    weight of all faces in the batch, so that pictures full of faces and empty ones are learned from alike.
    """
    from keras import ops

    is_face, weight = wanted[..., 0], wanted[..., 1]
    logit = (outputs[..., 0] - MIDDLE) * SCORE_GAIN
    unlike = ops.sigmoid(ops.where(is_face > 0, -logit, logit))  # how far the answer is from the truth, 0 to 1
    surprise = ops.softplus(ops.where(is_face > 0, -logit, logit))
    share = ops.where(is_face > 0, FACES, 1 - FACES)
    scores = ops.sum(weight * share * unlike**GAMMA * surprise)
    faces = weight * is_face
    boxes = ops.sum(faces * (1 - _overlap(ops.exp(wanted[..., 2:]), ops.exp(outputs[..., 1:] - MIDDLE))))
    return (scores + BOXES * boxes) / ops.maximum(ops.sum(faces), 1.0)


def _overlap(a: Any, b: Any) -> Any:
    """Intersection over union of boxes that share a point, from their reaches (..., 4) to the left, up, right, down."""
    from keras import ops

    shared = ops.minimum(a, b)

    def area(reach: Any) -> Any:
        return (reach[..., 0] + reach[..., 2]) * (reach[..., 1] + reach[..., 3])

    both = area(shared)
    return both / (area(a) + area(b) - both)
