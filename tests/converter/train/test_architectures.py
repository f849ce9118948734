"""The networks have the documented size and form, and convert to int8 without a loss by their form."""

import json
from pathlib import Path
from typing import Any

import pytest

from converter.train.architectures import LOGITS, NETWORKS, PROBABILITIES, build, logits_model

keras = pytest.importorskip("keras")

LEARNT = ("Conv2D", "Dense")  # layers that the published JSON files and ours must share, in this order


def shape_of(kind: str, config: dict[str, Any]) -> tuple[Any, ...]:
    if kind == "Dense":
        return (kind, config["units"])
    return (kind, config["filters"], tuple(config["kernel_size"]), tuple(config["strides"]), config["padding"])


def test_classic_has_the_published_number_of_parameters() -> None:
    assert build("classic").count_params() == 4_478_727


@pytest.mark.data
@pytest.mark.parametrize("version", ["2.2.4-tf", "2.3.0-tf", "2.10.0"])
def test_classic_is_the_course_network_layer_by_layer(data: Path, version: str) -> None:
    published = json.loads((data / f"models/course/model-keras-{version}.json").read_text())["config"]["layers"]
    order = ("Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "Dropout", "Flatten", "Dense")
    ours = [type(layer).__name__ for layer in build("classic").layers]
    ours = ["Activation" if kind in ("ReLU", "Softmax") else kind for kind in ours if kind != "InputLayer"]
    theirs = [layer["class_name"] for layer in published if layer["class_name"] in order]
    assert ours == [*theirs, "Activation"]  # its softmax is inside the last dense layer, ours stands alone
    shapes = [
        shape_of(kind, layer.get_config())
        for layer in build("classic").layers
        if (kind := type(layer).__name__) in LEARNT
    ]
    assert shapes == [
        shape_of(layer["class_name"], layer["config"]) for layer in published if layer["class_name"] in LEARNT
    ]


def multiply_adds(network: Any) -> int:
    """Multiply-adds of all convolutions and dense layers, for one face."""
    total = 0
    for layer in network.layers:
        if type(layer).__name__ in LEARNT:
            weights = 1
            for size in layer.kernel.shape:
                weights *= size
            places = layer.output.shape[1] * layer.output.shape[2] if type(layer).__name__ == "Conv2D" else 1
            total += weights * places
    return total


def test_nano_keeps_within_its_bytes_and_its_time() -> None:
    network = build("nano")
    assert network.count_params() <= 132_000  # a byte each, and 16 KB of graph, stay below 150 KB
    assert multiply_adds(network) <= 15_000_000


def test_small_has_the_measured_size() -> None:
    assert build("small").count_params() == pytest.approx(1_094_000, rel=0.001)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_network_ends_in_logits_and_a_softmax_of_its_own(name: str) -> None:
    network = build(name)
    assert network.input_shape == (None, 48, 48, 1)
    assert network.output_shape == (None, 7)
    assert network.layers[-1].name == PROBABILITIES
    assert network.layers[-2].name == LOGITS
    assert network.layers[-2].activation is keras.activations.linear
    assert logits_model(network).layers[-1] is network.layers[-2]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_batchnorm_folds_into_what_stands_before_it(name: str) -> None:
    for layer in build(name).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            (before,) = layer._inbound_nodes[0].parent_nodes
            assert isinstance(before.operation, keras.layers.Conv2D | keras.layers.Dense)


def test_the_same_seed_builds_the_same_weights() -> None:
    first, again, other = (seeded(seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def seeded(seed: int) -> list[Any]:
    keras.utils.set_random_seed(seed)
    weights: list[Any] = build("nano").get_weights()
    return weights
