"""BatchNorms that do not fold into a convolution keep their answers in int8; other graphs are left as they are."""

import importlib
from typing import Any

import numpy as np
import pytest

from converter.networks.keras_model import Network
from converter.networks.tflite import operations
from converter.quantize.convert import Target, tflite_of
from converter.quantize.graph import frozen, with_depthwise_batch_norms
from fer_edge.vision.interpreter import Interpreter, dequantize, quantize

tf = pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow and Keras warn as they load

PICTURES = np.random.default_rng(3).normal(0, 0.5, (64, 24, 24, 1)).astype(np.float32)


def network_of(model: Any) -> Network:
    return Network(tf.function(lambda images: model(images, training=False)), 24, 24, 1, 7, 64, "made here")


def normalised_after_relu(keras: Any) -> Any:
    """A network with its BatchNorms after activations, whose channels differ in size by a factor of 1,000."""
    layers, rng = keras.layers, np.random.default_rng(4)
    model = keras.Sequential([layers.Input((24, 24, 1))])
    for layer in (
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.BatchNormalization(),
        layers.Dense(7),
    ):
        before = np.asarray(model(PICTURES)) if model.layers else PICTURES
        model.add(layer)
        if isinstance(layer, layers.Conv2D):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * np.logspace(-3, 0, 8), bias])
        elif isinstance(layer, layers.BatchNormalization):
            axes, channels = tuple(range(before.ndim - 1)), before.shape[-1]
            gamma, beta = rng.uniform(0.5, 1.5, channels), rng.normal(size=channels)
            gamma[:2] = 0, 1e-9  # as training with a penalty leaves them: only the offset counts
            layer.set_weights([gamma, beta, before.mean(axes), before.var(axes)])
    return model


def answers(content: bytes) -> np.ndarray:
    runner = Interpreter(content, "net")
    outputs = (runner.invoke(quantize(picture[None], runner.input)) for picture in PICTURES)
    return np.stack([dequantize(np.array(output), runner.output).ravel() for output in outputs])


@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_a_batch_norm_after_an_activation_keeps_its_answers_in_int8(module: str):
    model = normalised_after_relu(pytest.importorskip(module))
    network, expected = network_of(model), np.asarray(model(PICTURES))
    changed = with_depthwise_batch_norms(frozen(network))
    exact = np.concatenate([changed(tf.constant(picture[None]))[0].numpy().reshape(1, 7) for picture in PICTURES])
    assert exact == pytest.approx(expected, abs=1e-5)
    content, _ = tflite_of(network, Target(), PICTURES, "net")
    assert not {"MUL", "ADD"} & set(operations(content))
    assert operations(content)["DEPTHWISE_CONV_2D"] == 3
    assert len(set(expected.argmax(axis=1))) > 2
    # 0.45 and 0.66 where these BatchNorms become MUL and ADD
    assert (answers(content).argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.85


@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_a_network_without_such_batch_norms_is_left_as_it_is(module: str):
    keras = pytest.importorskip(module)
    layers = keras.layers
    face = layers.Input((24, 24, 1))
    x = layers.Rescaling(1 / 2, offset=0.5)(face)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3)(x)))
    x = layers.PReLU(shared_axes=(1, 2))(layers.BatchNormalization()(layers.SeparableConv2D(8, 3, use_bias=False)(x)))
    x = layers.BatchNormalization()(layers.Dense(7)(layers.GlobalAveragePooling2D()(x)))
    graph = frozen(network_of(keras.Model(face, x)))
    assert with_depthwise_batch_norms(graph) is graph
    folded, _ = tflite_of(network_of(keras.Model(face, x)), Target(), PICTURES, "net")
    assert "PRELU" in operations(folded)


def test_a_dynamic_file_keeps_batch_norms_in_float():
    keras = importlib.import_module("keras")
    content, _ = tflite_of(network_of(normalised_after_relu(keras)), Target("dynamic"), PICTURES, "net")
    assert "DEPTHWISE_CONV_2D" not in operations(content)
