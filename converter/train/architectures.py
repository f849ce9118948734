"""Architectures that `fer-convert train` offers, by name.

Every one takes (n, 48, 48, 1) float32, ``(pixel - 127.5) / 127.5``, and ends in a layer `logits` and a softmax layer
`probabilities`, both (n, 7) float32 in the order of `labels.EMOTIONS`: training and quantization take the logits,
everybody else the probabilities. All activations are ReLU and every BatchNorm follows a convolution or a dense layer,
into which it folds away in an int8 file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_edge.emotions import EMOTIONS

SIZE_PX = 48  # width and height of a FER-2013 face
LOGITS = "logits"
PROBABILITIES = "probabilities"


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network of `NETWORKS`: how to build it and one line about it."""

    build: Callable[[], Any]
    summary: str


def build(name: str) -> Any:
    """The Keras model called ``name``, with fresh weights from Keras' global seed.

    Raises KeyError for a name that is not in `NETWORKS`; the command line offers only those that are.
    """
    return NETWORKS[name].build()


def logits_model(network: Any) -> Any:
    """The same layers up to the logits, for the loss: log(softmax) loses precision on confident outputs."""
    import keras

    return keras.Model(network.input, network.get_layer(LOGITS).output, name=network.name)


def _classic() -> Any:
    """The course's network: four convolutions, two dense layers, 4,478,727 parameters, 290 M multiply-adds."""
    from keras import layers

    x = inputs = layers.Input((SIZE_PX, SIZE_PX, 1), name="face")
    for filters, kernel in ((64, 3), (128, 5), (512, 3), (512, 3)):
        x = layers.Conv2D(filters, kernel, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    for units in (256, 512):
        x = layers.Dense(units)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.Dropout(0.25)(x)
    return _classified(inputs, x, "classic")


def _small() -> Any:
    """A plain residual network of 1.09 M parameters, 90 M multiply-adds: three stages of three 3x3 convolutions."""
    stages = (Stage(48, stride=1, pairs=1), Stage(96, stride=2, pairs=1), Stage(192, stride=2, pairs=1))
    return _residual("small", stem=(24, 3), stages=stages, dropout=0.2)


def _nano() -> Any:
    """The same plan in 130,539 parameters, 12 M multiply-adds, for the smallest devices.

    At 24x24 a weight costs 576 multiply-adds, at 6x6 only 36: a narrow first stage keeps the time, the width of the
    last the bytes. Of the shapes tried within 150 KB this was the deepest that needs less time than mini_XCEPTION
    (0.44 against 0.54 ms a face, int8, one thread of the same machine).
    """
    stages = (Stage(16, stride=1, pairs=1), Stage(32, stride=2, pairs=2), Stage(60, stride=2, pairs=1))
    return _residual("nano", stem=(16, 5), stages=stages, dropout=0.1)


@dataclass(frozen=True, slots=True)
class Stage:
    """Some residual pairs of 3x3 convolutions of one width, after one that changes width or stride where needed."""

    filters: int
    stride: int
    pairs: int


def _residual(name: str, stem: tuple[int, int], stages: tuple[Stage, ...], dropout: float) -> Any:
    """A stride-2 stem of (filters, kernel), the stages, and the mean over the picture.

    Only plain 3x3 convolutions: for the same accuracy they were faster in XNNPACK's int8 than depthwise ones, whose
    few multiply-adds wait for memory.
    """
    from keras import layers

    def convolved(x: Any, filters: int, kernel: int, stride: int) -> Any:
        convolution = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")
        return layers.BatchNormalization()(convolution(x))

    x = inputs = layers.Input((SIZE_PX, SIZE_PX, 1), name="face")
    channels, kernel = stem
    x = layers.ReLU()(convolved(x, channels, kernel, 2))
    for stage in stages:
        if stage.filters != channels or stage.stride != 1:
            x = layers.ReLU()(convolved(x, stage.filters, 3, stage.stride))
            channels = stage.filters
        for _ in range(stage.pairs):
            y = layers.ReLU()(convolved(x, channels, 3, 1))
            x = layers.ReLU()(layers.Add()([x, convolved(y, channels, 3, 1)]))
    x = layers.GlobalAveragePooling2D()(x)
    return _classified(inputs, layers.Dropout(dropout)(x), name)


def _classified(inputs: Any, features: Any, name: str) -> Any:
    import keras
    from keras import layers

    logits = layers.Dense(len(EMOTIONS), name=LOGITS)(features)
    return keras.Model(inputs, layers.Softmax(name=PROBABILITIES)(logits), name=name)


NETWORKS: dict[str, Architecture] = {
    "classic": Architecture(_classic, "the course's network: 4 convolutions, 2 dense layers, 4.48 M parameters"),
    "small": Architecture(_small, "plain residual network, 1.09 M parameters, 1.1 MB as int8; the daemon's default"),
    "nano": Architecture(_nano, "plain residual network, 130 k parameters, below 150 KB as int8; ships too"),
}
