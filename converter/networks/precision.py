"""Networks trained in half precision (policies such as mixed_float16), as they are converted: computing in float32.

TensorFlow's converter knows no float16 convolution. Under a mixed policy the weights are float32 already, so nothing is
lost by computing in it.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from converter.networks.identify import CONFIG, HDF5_CONFIG

FULL = "float32"
HALF = {"float16", "bfloat16", "mixed_float16", "mixed_bfloat16"}
CURE = f"it was saved in half precision; save it again under the policy {FULL}"


def in_float32(architecture: Any) -> Any:
    """A copy of a decoded architecture in which every `dtype` of half precision, a name or a policy, is float32."""
    if isinstance(architecture, list):
        return [in_float32(item) for item in architecture]
    if not isinstance(architecture, dict):
        return architecture
    return {
        key: FULL if key == "dtype" and _name(item) in HALF else in_float32(item) for key, item in architecture.items()
    }


def in_half_precision(architecture: Any) -> bool:
    """Return whether a decoded architecture has a `dtype` of half precision."""
    return bool(in_float32(architecture) != architecture)


def write_copy(path: Path, architecture: dict[str, Any], copy: Path) -> None:
    """Write ``path``, a .keras file or a whole model in HDF5, to ``copy`` with another ``architecture``."""
    text = json.dumps(architecture)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
            for name in old.namelist():
                new.writestr(name, text if name == CONFIG else old.read(name))
        return
    import h5py

    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        file.attrs[HDF5_CONFIG] = text


def _name(dtype: Any) -> str:
    """`mixed_float16` of a policy, {class_name: ..., config: {name: mixed_float16}}, and a plain name as it is."""
    config = dtype.get("config") if isinstance(dtype, dict) else None
    name = config.get("name") if isinstance(config, dict) else dtype
    return name if isinstance(name, str) else ""
