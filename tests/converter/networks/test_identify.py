"""Containers are identified by content; a damaged file is one line before TensorFlow loads."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from converter.networks.identify import Container, check_weights, identify, one_line
from fer_edge.errors import UserError


@pytest.mark.parametrize(
    ("name", "container", "keras"),
    [
        ("keras2/fer2013_mini_XCEPTION.119-0.65.hdf5", Container.HDF5, "2.0.5"),
        ("keras3/mini_xception_119.keras", Container.KERAS, "3.15.1"),
        ("savedmodel", Container.SAVED_MODEL, "2"),
    ],
)
def test_containers_and_their_keras_are_known(data: Path, name: str, container: Container, keras: str):
    file = identify(data / "models" / name)
    assert (file.container, file.keras) == (container, keras)


def test_an_architecture_needs_its_weights(data: Path):
    architecture, weights = data / "models/keras2/model.json", data / "models/keras2/model_weights.h5"
    assert identify(architecture, weights).keras_2
    assert identify(architecture, untrained=True).weights is None
    with pytest.raises(UserError, match=r"without weights; give its weights' HDF5 file second, or --untrained$"):
        identify(architecture)


def test_what_has_weights_is_not_untrained(data: Path):
    whole, architecture = data / "models/keras3/mini_xception_119.keras", data / "models/keras2/model.json"
    for path in (whole, data / "models/savedmodel"):
        with pytest.raises(UserError, match=r"holds weights; leave --untrained out$"):
            identify(path, untrained=True)
    with pytest.raises(UserError, match=r"model_weights\.h5: are weights, so the network is not untrained"):
        identify(architecture, data / "models/keras2/model_weights.h5", untrained=True)


@pytest.mark.parametrize("version", ["2.10.0", "2.2.4-tf", "2.3.0-tf"])
def test_the_courses_architectures_are_of_keras_2(data: Path, version: str):
    file = identify(data / f"models/course/model-keras-{version}.json", untrained=True)
    assert file.keras == version
    assert file.keras_2


def test_an_architecture_that_was_encoded_twice_is_read(tmp_path: Path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.dumps({"class_name": "Sequential", "config": [], "keras_version": "2.4.0"})))
    assert identify(path, untrained=True).keras == "2.4.0"


def test_an_architecture_of_keras_3_is_known_by_its_module(tmp_path: Path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"module": "keras", "class_name": "Sequential", "config": {}}))
    assert not identify(path, untrained=True).keras_2


def test_the_ending_of_a_name_does_not_matter(data: Path, tmp_path: Path):
    (tmp_path / "network.keras").symlink_to(data / "models/keras2/fer2013_mini_XCEPTION.119-0.65.hdf5")
    (tmp_path / "network.h5").symlink_to(data / "models/keras3/mini_xception_119.keras")
    assert identify(tmp_path / "network.keras").container is Container.HDF5
    assert identify(tmp_path / "network.h5").container is Container.KERAS


def test_weights_beside_a_whole_model_are_refused(data: Path):
    whole = data / "models/keras3/mini_xception_119.keras"
    with pytest.raises(UserError, match=r"holds its weights itself; leave .*model_weights\.h5 out"):
        identify(whole, data / "models/keras2/model_weights.h5")


def cut(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    return target


def half_hdf5(data: Path, folder: Path) -> Path:
    return cut(data / "models/keras2/fer2013_mini_XCEPTION.119-0.65.hdf5", folder / "half.hdf5")


def half_keras(data: Path, folder: Path) -> Path:
    return cut(data / "models/keras3/mini_xception_119.keras", folder / "half.keras")


def half_json(data: Path, folder: Path) -> Path:
    return cut(data / "models/keras2/model.json", folder / "half.json")


def damaged_keras(data: Path, folder: Path) -> Path:
    path = folder / "damaged.keras"
    content = bytearray((data / "models/keras3/mini_xception_119.keras").read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def weights_alone(data: Path, folder: Path) -> Path:
    return Path(shutil.copy(data / "models/keras2/model_weights.h5", folder / "weights.h5"))


def tflite(data: Path, folder: Path) -> Path:
    return Path(shutil.copy(data / "models/tflite/overall_best.tflite", folder / "net.tflite"))


def pointer(_data: Path, folder: Path) -> Path:
    path = folder / "net.h5"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return path


def empty(_data: Path, folder: Path) -> Path:
    (folder / "net.h5").touch()
    return folder / "net.h5"


def other_hdf5(_data: Path, folder: Path) -> Path:
    with h5py.File(folder / "other.h5", "w") as file:
        file["measurements"] = [1, 2, 3]
    return folder / "other.h5"


def other_json(_data: Path, folder: Path) -> Path:
    (folder / "other.json").write_text('{"schema": 1}')
    return folder / "other.json"


def picture(_data: Path, folder: Path) -> Path:
    (folder / "face.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder / "face.png"


def absent(_data: Path, folder: Path) -> Path:
    return folder / "absent.h5"


def empty_folder(_data: Path, folder: Path) -> Path:
    return folder


def nested(_data: Path, folder: Path) -> Path:
    (folder / "nested.json").write_text('{"class_name": "Model", "config": ' + "[" * 900 + "]" * 900 + "}")
    return folder / "nested.json"


def nested_beyond_decoding(_data: Path, folder: Path) -> Path:
    (folder / "nested.json").write_text('{"config": ' + "[" * 100_000)
    return folder / "nested.json"


def endless(_data: Path, folder: Path) -> Path:
    (folder / "net.json").symlink_to("/dev/zero")
    return folder / "net.json"


def pipe(_data: Path, folder: Path) -> Path:
    os.mkfifo(folder / "net.keras")
    return folder / "net.keras"


def large_json(_data: Path, folder: Path) -> Path:
    with (folder / "large.json").open("wb") as file:
        file.write(b"{")
        file.truncate(2**25)
    return folder / "large.json"


def zip_of(folder: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(folder / "net.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("_", "."), content)
    return folder / "net.keras"


def bomb(_data: Path, folder: Path) -> Path:
    return zip_of(folder, metadata_json=b"{}", config_json=b" " * 2**25)


def metadata_that_is_a_list(_data: Path, folder: Path) -> Path:
    return zip_of(folder, metadata_json=b"[]", config_json=b"{}")


def encrypted(_data: Path, folder: Path) -> Path:
    path = zip_of(folder, metadata_json=b"{}", config_json=b"{}")
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of the first part, here and in the index
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    return path


def linked(_data: Path, folder: Path) -> Path:
    with h5py.File(folder / "net.h5", "w") as file:
        file.attrs["model_config"] = "{}"
        file["layer/kernel"] = h5py.ExternalLink("/etc/hostname", "/")
    return folder / "net.h5"


def stored_elsewhere(_data: Path, folder: Path) -> Path:
    with h5py.File(folder / "net.h5", "w") as file:
        file.attrs["model_config"] = "{}"
        file.create_dataset("layer/kernel", (8,), "u1", external=[("/etc/hostname", 0, 8)])
    return folder / "net.h5"


def virtual(_data: Path, folder: Path) -> Path:
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "kernel", (8,))
    with h5py.File(folder / "net.h5", "w") as file:
        file.attrs["model_config"] = "{}"
        file.create_virtual_dataset("kernel", layout)
    return folder / "net.h5"


def stored_elsewhere_in_keras(data: Path, folder: Path) -> Path:
    weights = stored_elsewhere(data, folder).read_bytes()
    return zip_of(folder, metadata_json=b"{}", config_json=b"{}", model_weights_h5=weights)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (half_hdf5, "is a damaged or truncated HDF5 file; copy it again"),
        (half_keras, "is a damaged or truncated .keras file; copy it again"),
        (half_json, "its architecture is damaged or truncated JSON"),
        (damaged_keras, "damaged"),
        (weights_alone, "holds weights without an architecture; give the architecture's JSON file first"),
        (tflite, "is a TFLite file already; `fer-convert card` writes the card it needs"),
        (pointer, "is a Git LFS pointer and not the network itself; fetch it with `git lfs pull`"),
        (empty, "is empty; copy it again"),
        (other_hdf5, "holds weights without an architecture"),
        (other_json, "is JSON, but not a Keras architecture"),
        (picture, "is no Keras network"),
        (absent, "cannot be read: No such file or directory"),
        (empty_folder, "is a folder without saved_model.pb"),
        (nested, "is nested deeper than 100 levels"),
        (nested_beyond_decoding, "its architecture is damaged or truncated JSON"),
        (endless, "is not a regular file"),
        (pipe, "is not a regular file"),
        (large_json, "cannot be read: larger than 16777216 bytes"),
        (bomb, "is larger unpacked than a network"),
        (metadata_that_is_a_list, "is a damaged or truncated .keras file"),
        (encrypted, "is a damaged or truncated .keras file"),
        (linked, "'layer/kernel' in it lies in another file"),
        (stored_elsewhere, "'layer/kernel' in it lies in another file"),
        (virtual, "'kernel' in it lies in another file"),
        (stored_elsewhere_in_keras, "'layer/kernel' in it lies in another file"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(
    data: Path, tmp_path: Path, make: Callable[[Path, Path], Path], line: str
):
    path = make(data, tmp_path)
    with pytest.raises(UserError) as caught:
        identify(path, untrained=True)
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_weights_are_refused_before_anything_is_built(data: Path, tmp_path: Path):
    half = cut(data / "models/keras2/model_weights.h5", tmp_path / "half.h5")
    with pytest.raises(UserError, match=r"half\.h5: is a damaged or truncated HDF5 file"):
        identify(data / "models/keras2/model.json", half)


def test_a_reason_of_another_library_is_its_first_line_and_not_endless():
    assert one_line(ValueError("\n  Shapes differ.\nFull config: {}")) == "Shapes differ"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(ValueError("x" * 5000))) == 203


def test_weights_to_start_with_are_looked_through_as_well(data: Path, tmp_path: Path):
    check_weights(data / "models/keras2/model_weights.h5")
    check_weights(data / "models/keras3/mini_xception_119.keras")
    with pytest.raises(UserError, match=r"lies in another file"):
        check_weights(linked(data, tmp_path))
