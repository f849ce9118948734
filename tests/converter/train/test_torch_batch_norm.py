"""The fused kernel computes what Keras' own layer computes; only on the PyTorch backend, which is optional."""

import importlib.util
import os
import subprocess
import sys

import pytest

BOTH_WAYS = """
import keras, numpy as np, torch
from converter.train.torch_batch_norm import fused_batch_norm

def step(shape):
    keras.utils.set_random_seed(1)
    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer.build(shape)
    layer.gamma.assign(np.linspace(0.5, 2, shape[-1])); layer.beta.assign(np.linspace(-1, 1, shape[-1]))
    inputs = torch.tensor(np.random.default_rng(2).normal(3, 2, shape).astype("float32"), requires_grad=True)
    outputs = layer(inputs, training=True)
    (outputs ** 3).sum().backward()
    found = outputs, inputs.grad, layer.gamma.value.grad, layer.moving_mean, layer.moving_variance, layer(inputs)
    return [keras.ops.convert_to_numpy(one) for one in found]

for shape in ((6, 5, 4, 3), (8, 3)):
    plain = step(shape)
    original = keras.layers.BatchNormalization.call
    with fused_batch_norm():
        assert keras.layers.BatchNormalization.call is not original
        fused = step(shape)
    assert keras.layers.BatchNormalization.call is original
    for one, other in zip(plain, fused, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)
print("same")
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch, an optional backend, is not installed")
def test_outputs_gradients_and_statistics_are_those_of_keras() -> None:
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", BOTH_WAYS], capture_output=True, text=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "same\n"), ended.stderr
