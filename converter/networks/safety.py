"""Checks of Keras architectures before Keras builds them: no code in a model file is run.

Keras' own safe mode guards `.keras` files alone: in HDF5 and JSON files a Lambda layer's bytecode is unmarshalled and
run, and some built-in classes read files or unpickle. So every class that a configuration names is checked here, and
whatever is not one of Keras' own layers, initializers and the like is refused by name.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from fer_edge.errors import UserError

RUN_CODE = {"Lambda", "__lambda__", "function"}  # carry bytecode, or name a function that is not in the file
REACH_OUT = {
    "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",  # load or unpickle other programs
    "StringLookup", "IntegerLookup", "TextVectorization", "DenseFeatures",  # read vocabulary files
    "TensorFlowOpLayer",  # any operation of TensorFlow
}  # fmt: skip
PLAIN_VALUES = {"__tensor__", "__numpy__", "__keras_tensor__", "__bytes__", "__ellipsis__", "__slice__"}
MODELS = {"Functional", "Model", "Sequential"}
KERAS_3_LAYERS = re.compile(r"keras(\.src)?(\.(layers|models)(\.[\w.]+)?)?")
KERAS_3_SETTINGS = re.compile(r"keras(\.src)?\.(initializers|regularizers|constraints|dtype_policies)(\.[\w.]+)?")
KERAS_2_MODELS = re.compile(r"(tf_)?keras\.src\.engine\.(functional|sequential)")  # in its .keras files
KERAS_3_OPERATIONS = re.compile(r"keras\.src\.ops\.(image|math|nn|numpy)")  # written for arithmetic on tensors
TF_OPERATION_LAYERS = {"TFOpLambda", "SlicingOpLambda"}  # what Keras 2 writes for arithmetic on tensors
TF_OPERATIONS = re.compile(r"(__operators__|math|nn)\.\w+|(cast|concat|expand_dims|reshape|squeeze|transpose)")
COMPILED = "compile_config"  # loss, metrics and optimizer: not needed, and not safe to build


def layer_names(keras: Any) -> set[str]:
    """Return the names of the layer classes of ``keras``, which is Keras 3 or tf-keras."""
    layers = keras.layers
    return {name for name, value in vars(layers).items() if isinstance(value, type) and issubclass(value, layers.Layer)}


def without_compilation(architecture: Any) -> Any:
    """Return a copy of a decoded architecture without losses, metrics and optimizers, at any depth."""
    if isinstance(architecture, list):
        return [without_compilation(item) for item in architecture]
    if not isinstance(architecture, dict):
        return architecture
    return {key: without_compilation(item) for key, item in architecture.items() if key != COMPILED}


def check_architecture(architecture: dict[str, Any], layers: Collection[str], name: str) -> None:
    """Raise UserError, naming the layer, where building ``architecture`` could run code that is not Keras' own.

    ``architecture`` is the decoded configuration of a model (class_name, config) without compilation, ``layers`` the
    `layer_names` of the Keras that will build it, ``name`` the file for the message.
    """
    for node, layer, is_layer in _nodes(architecture, str(architecture.get("class_name")), is_layer=True):
        class_name = str(node["class_name"])
        kind = "Lambda layer" if class_name in RUN_CODE else "custom object"
        if not _is_kerass_own(node, class_name, layers, is_layer=is_layer):
            raise UserError(
                f"{name}: layer {layer!r} is a {kind} ({class_name}): code in model files is never run; "
                "rebuild the network from Keras' own layers and save it again"
            )


def _is_kerass_own(node: dict[str, Any], class_name: str, layers: Collection[str], *, is_layer: bool) -> bool:
    if class_name in RUN_CODE | REACH_OUT or ">" in f"{class_name} {node.get('registered_name')}":
        return False
    if class_name.startswith("__"):
        return class_name in PLAIN_VALUES
    if class_name in TF_OPERATION_LAYERS:
        config = node.get("config")
        function = config.get("function", "__operators__.getitem") if isinstance(config, dict) else ""
        return bool(TF_OPERATIONS.fullmatch(str(function)))
    own_layer = class_name in layers or class_name in MODELS
    module = node.get("module")
    if module is None:
        return own_layer or not is_layer
    return _is_keras_module(str(module), class_name, is_layer=is_layer, own_layer=own_layer)


def _is_keras_module(module: str, class_name: str, *, is_layer: bool, own_layer: bool) -> bool:
    """Return whether ``class_name`` may be taken from ``module``."""
    if KERAS_3_OPERATIONS.fullmatch(module):
        return True
    if KERAS_3_LAYERS.fullmatch(module) or (is_layer and KERAS_2_MODELS.fullmatch(module)):
        return own_layer or (module == "keras" and class_name == "DTypePolicy" and not is_layer)
    return not is_layer and bool(KERAS_3_SETTINGS.fullmatch(module))


def _nodes(value: Any, layer: str, *, is_layer: bool) -> Iterator[tuple[dict[str, Any], str, bool]]:
    """Give every {class_name: ...} below ``value``, the name of its layer, and whether it is a layer itself."""
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item, layer, is_layer=is_layer)
    elif isinstance(value, dict):
        if "class_name" in value:
            config = value.get("config")
            own_name = config.get("name") if isinstance(config, dict) else None
            layer = str(own_name or value.get("name") or layer) if is_layer else layer
            yield value, layer, is_layer
        for key, item in value.items():
            if key in ("layers", "layer", "cell", "backward_layer"):
                yield from _nodes(item, layer, is_layer=True)
            elif key == "config" and isinstance(item, list):  # Keras 2.0 to 2.2: a Sequential's config is its layers
                yield from _nodes(item, layer, is_layer=is_layer)
            else:
                yield from _nodes(item, layer, is_layer=False)
