"""A slice of FER-2013 that is quick to convert on, the command line, and one network converted once for all tests."""

import csv
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from converter.data.faces import Faces
from converter.data.fer2013 import read_faces

if os.environ.get("CI"):  # where it is broken, the tests that need it would be left out without a word
    importlib.import_module("tensorflow")

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TRAINING_A_CLASS, PUBLIC_A_CLASS = 20, 50  # faces; enough that a right layout leads clearly and int8 is close to float

SLOW_MODULES = {
    "test_folded",
    "test_train",
    "test_keras_network",
    "test_saved_model",
}  # load Keras, train, convert: minutes in all

Convert = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what trains or converts, so that `make check` may leave it to `make test`."""
    for item in items:
        uses_command = isinstance(item, pytest.Function) and "convert" in item.fixturenames
        if uses_command or f"{item.path.parent.name}/{item.path.stem}" in SLOW_MODULES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def slice_of_fer2013(data: Path) -> Faces:
    """A few faces of every class, of the Training and of the PublicTest split."""
    faces = read_faces(data / "fer2013")
    chosen = [
        np.flatnonzero((faces.usages == usage) & (faces.labels == label))[:number]
        for usage, number in (("Training", TRAINING_A_CLASS), ("PublicTest", PUBLIC_A_CLASS))
        for label in range(7)
    ]
    return faces.chosen(np.concatenate(chosen))


@pytest.fixture(scope="session")
def fer2013_csv(slice_of_fer2013: Faces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slice as fer2013.csv."""
    path = tmp_path_factory.mktemp("faces") / "fer2013.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("emotion", "pixels", "Usage"))
        for image, label, usage in zip(
            slice_of_fer2013.images, slice_of_fer2013.labels, slice_of_fer2013.usages, strict=True
        ):
            writer.writerow((label, " ".join(map(str, image.ravel())), usage))
    return path


@pytest.fixture(scope="session")
def convert() -> Convert:
    """`fer-convert` with some arguments, in a process of its own; ``before`` runs in it first, as Python code."""

    def run(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
        code = f"{before}\nfrom converter.cli import main\nmain({[str(argument) for argument in arguments]!r})"
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)

    return run


@pytest.fixture(scope="session")
def int8_network(data: Path, fer2013_csv: Path, convert: Convert, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mini_XCEPTION from model.json and its weights, converted to int8 with the command line; its layout was found."""
    pytest.importorskip("tensorflow")
    models = data / "models/keras2"
    output = tmp_path_factory.mktemp("int8") / "mini.tflite"
    ended = convert("quantize", models / "model.json", models / "model_weights.h5", "-o", output, "--data", fer2013_csv)
    assert ended.returncode == 0, ended.stderr
    return output
