"""A trained network as files: whole, and as architecture and weights apart."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.networks.identify import check_weights
from converter.outputs import replacing
from converter.train import folded
from fer_edge.errors import UserError


def save_network(network: Any, folder: Path, name: str) -> None:
    """The network as <name>.keras, its architecture as <name>.json, its weights as <name>.weights.h5 (HDF5)."""
    with replacing(folder / f"{name}.keras") as beside:
        network.save(beside)
    with replacing(folder / f"{name}.weights.h5") as beside:
        network.save_weights(beside)
    with replacing(folder / f"{name}.json") as beside:
        beside.write_text(network.to_json(), encoding="utf-8")


def begin_with(network: Any, path: Path, pictures: Callable[[], NDArray[np.float32]]) -> None:
    """As `load_weights`, and of a TFLite file, whose network then sees ``pictures`` (`folded.take_from_tflite`)."""
    if path.suffix.lower() == folded.SUFFIX:
        folded.take_from_tflite(network, path, pictures())
    else:
        load_weights(network, path)


def load_weights(network: Any, path: Path) -> None:
    """Give ``network`` the weights of a .keras or .weights.h5 file; UserError where they do not fit."""
    check_weights(path)
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: holds no weights that fit {network.name}") from error
