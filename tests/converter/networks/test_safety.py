"""Architectures that may be built, and those that are refused by name before Keras builds them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from converter.networks.safety import check_architecture, layer_names, without_compilation
from fer_edge.errors import UserError

LAYERS = {"InputLayer", "Conv2D", "Dense", "Dropout", "TimeDistributed", "Lambda", "TFSMLayer", "StringLookup"}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "net", "layers": list(layers)}}


def layer(class_name: str, name: str = "third", **more: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name}, **more}


def refusal(architecture: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        check_architecture(architecture, LAYERS, "net.h5")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_layers_of_keras_pass():
    check_architecture(sequential(layer("Conv2D"), layer("Dense", module="keras.layers")), LAYERS, "net.h5")


@pytest.mark.parametrize("folder", ["course", "keras2"])
def test_architectures_that_people_have_pass(data: Path, folder: str):
    more = "Activation Add BatchNormalization Flatten GlobalAveragePooling2D MaxPooling2D SeparableConv2D"
    keras_2_layers = LAYERS | set(more.split())
    paths = sorted((data / "models" / folder).glob("*.json"))
    assert paths
    for path in paths:
        check_architecture(json.loads(path.read_text()), keras_2_layers, path.name)


def test_a_keras_3_architecture_passes(data: Path):
    with zipfile.ZipFile(data / "models/keras3/mini_xception_119.keras") as archive:
        architecture = json.loads(archive.read("config.json"))
    names = {item["class_name"] for item in architecture["config"]["layers"]}
    check_architecture(architecture, names, "net.keras")


@pytest.mark.parametrize("keras", ["keras", "tf_keras"])
def test_a_model_in_a_keras_2_file_is_known_by_its_module_and_nothing_else_of_that_package_is(keras: str):
    model = {"class_name": "Functional", "module": f"{keras}.src.engine.functional", "config": {"name": "net"}}
    check_architecture(model, LAYERS, "net.keras")
    assert "custom object" in refusal(model | {"module": f"{keras}.src.engine.training"})
    assert "custom object" in refusal(sequential({**layer("Dense"), "config": {"name": "third", "units": model}}))


def test_a_lambda_layer_is_refused_by_its_name_even_though_keras_has_it():
    assert refusal(sequential(layer("Dense", "first"), layer("Lambda", "scale"))).startswith(
        "net.h5: layer 'scale' is a Lambda layer (Lambda): code in model files is never run"
    )


def test_a_layer_that_keras_does_not_have_is_a_custom_object():
    assert "layer 'attention' is a custom object (SelfAttention)" in refusal(
        sequential(layer("SelfAttention", "attention"))
    )


def test_a_lambda_within_a_wrapper_is_found():
    wrapped = {"class_name": "TimeDistributed", "config": {"name": "outer", "layer": layer("Lambda", "inner")}}
    assert "layer 'inner' is a Lambda layer" in refusal(sequential(wrapped))


def test_a_lambda_within_a_model_within_a_model_is_found():
    assert "layer 'deep' is a Lambda layer" in refusal(sequential(sequential(layer("Lambda", "deep"))))


def test_the_oldest_form_of_sequential_is_looked_into():
    assert "layer 'old' is a Lambda layer" in refusal({"class_name": "Sequential", "config": [layer("Lambda", "old")]})


def test_a_function_where_a_setting_should_be_is_refused_with_its_layer():
    dense = layer("Dense", "head")
    dense["config"]["activation"] = {"module": "builtins", "class_name": "function", "config": "mine"}
    assert "layer 'head' is a Lambda layer (function)" in refusal(sequential(dense))


@pytest.mark.parametrize(
    "node",
    [
        layer("Dense", module="os"),
        layer("get_file", module="keras.utils"),
        layer("Dense", registered_name="Mine>Dense"),
        layer("Mine>Dense"),
        layer("TFSMLayer"),
        layer("StringLookup"),
        layer("TextVectorization", module="keras.layers"),
        layer("DenseFeatures"),
        layer("TensorFlowOpLayer"),
        layer("load_model", module="keras.models"),
        layer("Dense", module="keras.layers\n"),
        layer("__typespec__", module="keras.layers", spec_name="Lambda"),
        layer("TFOpLambda") | {"config": {"name": "third", "function": "io.write_file"}},
        layer("TFOpLambda") | {"config": {"name": "third", "function": "math.add\n"}},
    ],
)
def test_whatever_is_not_plainly_a_layer_of_keras_is_refused(node: dict[str, Any]):
    assert "layer 'third' is a custom object" in refusal(sequential(node))


@pytest.mark.parametrize("function", ["math.truediv", "__operators__.add", "nn.relu", "cast"])
def test_arithmetic_on_tensors_passes(function: str):
    check_architecture(
        sequential({"class_name": "TFOpLambda", "config": {"name": "scale", "function": function}}), LAYERS, "net.h5"
    )
    check_architecture(sequential(layer("Divide", module="keras.src.ops.numpy")), LAYERS, "net.keras")


def test_a_loss_of_ones_own_does_not_matter_for_it_is_left_out_at_every_depth():
    own_loss = {"compile_config": {"loss": {"class_name": "function", "config": "focal_loss"}}}
    inner = sequential(layer("Dense")) | own_loss
    assert "is a Lambda layer (function)" in refusal(sequential(inner))
    cleaned = without_compilation(sequential(inner) | own_loss)
    assert cleaned == sequential(sequential(layer("Dense")))
    check_architecture(cleaned, LAYERS, "net.keras")


def test_a_subclassed_model_is_a_custom_object():
    assert "layer 'MyModel' is a custom object" in refusal({"class_name": "MyModel", "config": {}})


def test_a_function_in_place_of_an_initializer_is_refused():
    dense = layer("Dense", "head", module="keras.layers")
    dense["config"]["kernel_initializer"] = {"module": "keras.models", "class_name": "load_model", "config": {}}
    assert "layer 'head' is a custom object (load_model)" in refusal(sequential(dense))
    dense["config"]["kernel_initializer"] = {"module": "keras.initializers", "class_name": "Zeros", "config": {}}
    check_architecture(sequential(dense), LAYERS, "net.keras")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_functions_of_the_layers_module_are_no_layers(module: str):
    names = layer_names(pytest.importorskip(module))
    assert {"Dense", "Conv2D", "InputLayer", "BatchNormalization"} <= names
    assert not {"Input", "deserialize", "serialize", "add"} & names
