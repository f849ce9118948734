"""Whether a Keras architecture can be built without running anybody's code: looked at before Keras sees it.

Keras' own safe mode guards `.keras` files alone: in HDF5 and JSON files a Lambda layer's bytecode is unmarshalled and
run, and some built-in classes read files or unpickle. So the configuration is walked here, and what is not plainly a
layer of Keras is refused by name.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from fer_edge.errors import UserError

RUN_CODE = {"Lambda", "__lambda__", "function"}  # carry bytecode, or name a function that is not in the file
REACH_OUT = {
    "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",  # load or unpickle other programs
    "StringLookup", "IntegerLookup", "TextVectorization",  # read vocabulary files
}  # fmt: skip
MODELS = {"Functional", "Model", "Sequential"}
KERAS_3_MODULES = re.compile(
    r"keras(\.src)?(\.(layers|models|initializers|regularizers|constraints|dtype_policies)(\.[\w.]+)?)?$"
)
KERAS_2_MODELS = re.compile(r"(tf_)?keras\.src\.engine\.(functional|sequential)$")  # in its .keras files
KERAS_3_OPERATIONS = re.compile(r"keras\.src\.ops\.(image|math|nn|numpy)$")  # written for arithmetic on tensors
TF_OPERATION_LAYERS = {"TFOpLambda", "SlicingOpLambda"}  # what Keras 2 writes for arithmetic on tensors
TF_OPERATIONS = re.compile(r"(__operators__|math|nn)\.\w+$|(cast|concat|expand_dims|reshape|squeeze|transpose)$")


def check_architecture(architecture: dict[str, Any], layers: Collection[str], name: str) -> None:
    """Raise UserError, naming the layer, where building ``architecture`` could run code that is not Keras' own.

    ``architecture`` is the decoded configuration of a model (class_name, config), ``layers`` the names in the
    `layers` module of the Keras that will build it, ``name`` how the file is called in the message.
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
    if class_name in TF_OPERATION_LAYERS:
        return bool(TF_OPERATIONS.match(str(node.get("config", {}).get("function", "__operators__.getitem"))))
    module = node.get("module")
    if module is not None:
        if KERAS_3_OPERATIONS.match(str(module)):
            return True
        if not (KERAS_3_MODULES.match(str(module)) or (is_layer and KERAS_2_MODELS.match(str(module)))):
            return False
    return not is_layer or class_name in layers or class_name in MODELS


def _nodes(value: Any, layer: str, *, is_layer: bool) -> Iterator[tuple[dict[str, Any], str, bool]]:
    """Every {class_name: ...} below ``value``, with the name of the layer it belongs to and whether it is a layer."""
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
            elif key != "compile_config":  # the loss and the metrics are not needed and never built
                yield from _nodes(item, layer, is_layer=False)
