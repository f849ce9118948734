"""Keras networks as people have them: which container a file is, and which Keras wrote it. Needs no TensorFlow.

    identify -> KerasFile -> keras_network.load -> Network

A file is known by what is in it and not by its ending: an HDF5 file called `.keras` and a zip called `.h5` both exist.
"""

import io
import stat
import zipfile
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_json, read_regular

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"
TFLITE_MAGIC = b"TFL3"  # at offset 4
LFS_MAGIC = b"version https://git-lfs"
CONFIG, HDF5_CONFIG = "config.json", "model_config"  # where the architecture is: in the zip, in the root's attributes
METADATA = "metadata.json"
HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # what h5py raises for a damaged file
# What zipfile raises for a damaged file: NotImplementedError for an unknown compression, RuntimeError for a password.
ZIP_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)
WEIGHTS_SUFFIX = ".h5"  # of other files in the zip
MAX_CONFIG_BYTES = 2**24  # an architecture of a thousand layers has 1 MB
MAX_UNPACKED_BYTES = 2**32  # of a .keras file; the largest networks of Keras Applications have 0.6 GB
MAX_DEPTH = 100  # levels of an architecture; a layer within a wrapper within a model within a model is at 20
LONGEST_REASON = 200  # characters of another library's message


class Container(StrEnum):
    KERAS = ".keras file"
    HDF5 = "HDF5 file"
    JSON = "JSON architecture"
    SAVED_MODEL = "SavedModel"


@dataclass(frozen=True, slots=True)
class KerasFile:
    """A network that was identified and not yet loaded."""

    path: Path
    weights: Path | None
    container: Container
    keras: str  # version that wrote it, such as 2.0.5; empty where the file does not record it
    architecture: dict[str, Any] | None  # None for a SavedModel, which holds a graph

    @property
    def keras_2(self) -> bool:
        return self.keras.startswith("2")

    def __str__(self) -> str:
        return f"{self.container} of Keras {self.keras}" if self.keras else str(self.container)


def identify(path: Path, weights: Path | None = None, *, untrained: bool = False) -> KerasFile:
    """Identify ``path``. ``weights`` is the HDF5 file that belongs to a JSON architecture.

    Raises UserError, one line, for what is absent, truncated, no Keras network, or lacks its weights;
    ``untrained`` accepts an architecture alone, and nothing that has weights.
    """
    if path.is_dir():
        file = _saved_model(path)
    else:
        start = _start(path)
        if start.startswith(HDF5_MAGIC):
            file = _hdf5(path)
        elif start.startswith(ZIP_MAGIC):
            file = _zip(path)
        elif start.lstrip()[:1] in (b"{", b'"'):
            return _json(path, weights, untrained=untrained)
        else:
            raise UserError(f"{path}: {_what_else(start)}")
    if weights:
        raise UserError(f"{path}: is a {file.container} and holds its weights itself; leave {weights} out")
    if untrained:
        raise UserError(f"{path}: is a {file.container} and holds weights; leave --untrained out")
    return file


def one_line(error: BaseException) -> str:
    """Return the first line of an error's message that is not empty, cut: Keras may print a whole network in it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0].rstrip(".") if lines else type(error).__name__
    return line if len(line) <= LONGEST_REASON else line[:LONGEST_REASON] + "..."


def check_weights(path: Path) -> None:
    """Raise UserError where weights, in HDF5 or a .keras file, are damaged or lie in other files."""
    start = _start(path)
    if start.startswith(ZIP_MAGIC):
        _zip(path)
    elif start.startswith(HDF5_MAGIC):
        check_hdf5(path, str(path))
    else:
        raise UserError(f"{path}: {_what_else(start)}")


def check_hdf5(source: Path | BinaryIO, name: str) -> None:
    """Raise UserError where an HDF5 file takes numbers from other files: by a link, or a dataset stored elsewhere.

    The content of any file of this machine would come into the converted network.
    """
    import h5py

    def elsewhere(path: str, link: object) -> str | None:
        if isinstance(link, h5py.ExternalLink):
            return path
        item = file.get(path) if isinstance(link, h5py.HardLink) else None
        return path if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None

    try:
        with h5py.File(source, "r") as file:
            found = file.visititems_links(elsewhere)
    except HDF5_ERRORS as error:
        raise _damaged_hdf5(name, error) from error
    if found:
        raise UserError(f"{name}: {found!r} in it lies in another file, which is never read; save the network again")


def _start(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path}: is not a regular file")
        with path.open("rb") as stream:
            return stream.read(64)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _what_else(start: bytes) -> str:
    """Describe a file that is no Keras network, and what to do."""
    if start[4:8] == TFLITE_MAGIC:
        return "is a TFLite file already; `fer-convert card` writes the card it needs"
    if start.startswith(LFS_MAGIC):
        return "is a Git LFS pointer and not the network itself; fetch it with `git lfs pull`"
    if not start:
        return "is empty; copy it again"
    return "is no Keras network (.keras, HDF5, JSON architecture or SavedModel folder)"


def _saved_model(path: Path) -> KerasFile:
    if not (path / "saved_model.pb").is_file():
        raise UserError(f"{path}: is a folder without saved_model.pb, so it is no SavedModel")
    # Only Keras 2 writes the metadata; a SavedModel holds a graph, which needs no Keras to be run.
    return KerasFile(path, None, Container.SAVED_MODEL, "2" if (path / "keras_metadata.pb").is_file() else "", None)


def _hdf5(path: Path) -> KerasFile:
    attributes = _hdf5_attributes(path)
    config = attributes.get(HDF5_CONFIG)
    if config is None:
        raise UserError(
            f"{path}: holds weights without an architecture; give the architecture's JSON file first and this second"
        )
    return KerasFile(path, None, Container.HDF5, str(attributes.get("keras_version", "2")), _decoded(config, path))


def _hdf5_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of an HDF5 file's root, bytes as text."""
    import h5py

    check_hdf5(path, str(path))
    try:
        with h5py.File(path, "r") as file:
            return {key: value.decode() if isinstance(value, bytes) else value for key, value in file.attrs.items()}
    except HDF5_ERRORS as error:
        raise _damaged_hdf5(str(path), error) from error


def _damaged_hdf5(name: str, error: Exception) -> UserError:
    return UserError(f"{name}: is a damaged or truncated HDF5 file; copy it again ({one_line(error)})")


def _zip(path: Path) -> KerasFile:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path)
            broken = archive.testzip()
            if broken:
                raise UserError(f"{path}: is damaged ({broken}); copy it again")
            metadata = decode_json(archive.read(METADATA), dict[str, Any])
            config = archive.read(CONFIG)
            for name in archive.namelist():
                if name.endswith(WEIGHTS_SUFFIX):
                    check_hdf5(io.BytesIO(archive.read(name)), f"{path}: {name}")
    except KeyError as error:
        raise UserError(
            f"{path}: is a zip archive but no .keras file: it lacks config.json or metadata.json"
        ) from error
    except ZIP_ERRORS as error:
        raise UserError(f"{path}: is a damaged or truncated .keras file; copy it again ({one_line(error)})") from error
    return KerasFile(path, None, Container.KERAS, str(metadata.get("keras_version", "3")), _decoded(config, path))


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise UserError before anything is unpacked that would be larger than networks are."""
    sizes = {part.filename: part.file_size for part in archive.infolist()}
    if sum(sizes.values()) > MAX_UNPACKED_BYTES or max(sizes.get(CONFIG, 0), sizes.get(METADATA, 0)) > MAX_CONFIG_BYTES:
        raise UserError(f"{path}: is larger unpacked than a network, {sum(sizes.values()):,} bytes")


def _json(path: Path, weights: Path | None, *, untrained: bool) -> KerasFile:
    try:
        architecture = _decoded(read_regular(path, MAX_CONFIG_BYTES), path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if weights is not None and untrained:
        raise UserError(f"{weights}: are weights, so the network is not untrained; leave them out, or --untrained")
    if weights is None and not untrained:
        raise UserError(
            f"{path}: holds an architecture without weights; give its weights' HDF5 file second, or --untrained"
        )
    if weights is not None:
        if not _start(weights).startswith(HDF5_MAGIC):
            raise UserError(f"{weights}: is no HDF5 file of weights")
        check_hdf5(weights, str(weights))
    by_keras_3 = str(architecture.get("module", "")).startswith("keras")
    version = str(architecture.get("keras_version", "3" if by_keras_3 else "2"))
    return KerasFile(path, weights, Container.JSON, version, architecture)


def _decoded(text: Any, path: Path) -> dict[str, Any]:
    """Decode an architecture in JSON, also where it was encoded twice (`json.dump(model.to_json(), ...)`)."""
    try:
        value = decode_json(text, object) if isinstance(text, bytes | str) else None
        value = decode_json(value, object) if isinstance(value, str) else value
    except DecodeError as error:
        raise UserError(f"{path}: its architecture is damaged or truncated JSON ({one_line(error)})") from error
    if not isinstance(value, dict) or "class_name" not in value or "config" not in value:
        raise UserError(f"{path}: is JSON, but not a Keras architecture (model.to_json())")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [item for node in level for item in _children(node)]
    if level:
        raise UserError(f"{path}: its architecture is nested deeper than {MAX_DEPTH} levels")
    return value


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
