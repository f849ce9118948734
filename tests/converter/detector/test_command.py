"""A detector's training from the command line, on a handful of photos."""

import csv
import dataclasses
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from converter.detector.trainer import DetectorConfig, DetectorRun
from tests.converter.detector.conftest import empty, painted

keras = pytest.importorskip("keras")

SMALL = ("--scenes", "24", "--batch", "8", "--height", "64", "--width", "64", "--seed", "3")  # three steps an epoch

pytestmark = pytest.mark.data

Convert = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def coco(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A COCO file of some photos with faces and some without, and the folder of the photos."""
    whole = json.loads((data / "detection/train.json").read_bytes())
    with_faces = [image for image in whole["images"] if image["set"] == "p1_keypoints"][:12]
    without = [image for image in whole["images"] if image["set"] == "imagenet_neg"][:6]
    chosen = {image["id"] for image in with_faces + without}
    kept = [entry for entry in whole["annotations"] if entry["image_id"] in chosen]
    path = tmp_path_factory.mktemp("coco") / "faces.json"
    path.write_text(json.dumps({"images": with_faces + without, "annotations": kept, "categories": []}))
    return path, data / "detection/images"


@pytest.fixture(scope="module")
def run(coco: tuple[Path, Path], convert: Convert, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two epochs without interruption: the folder, and the standard output."""
    folder = tmp_path_factory.mktemp("run") / "face"
    ended = convert("train-detector", "--photos", *coco, "-o", folder, *SMALL, "--epochs", 2)
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_a_run_leaves_its_files_and_reports_its_counts(run: tuple[Path, str]) -> None:
    folder, said = run
    names = ["face.json", "face.keras", "face.weights.h5", "history.csv", "recipe.json", "resume.npz"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert said.startswith("18 photos, 12 faces in them, 0 faces to put into scenes\n")
    provenance = json.loads((folder / "recipe.json").read_text())
    assert provenance["recipe"]["scenes"] == 24
    assert provenance["data"]["photos"] == {"imagenet_neg": 5, "p1_keypoints": 12}  # one in sixteen is held out
    assert provenance["result"]["epoch"] == 2


def test_a_recipe_that_an_interruption_left_behind_is_written_by_the_same_command(
    run: tuple[Path, str], coco: tuple[Path, Path], convert: Convert, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(run[0], tmp_path / "face"))
    provenance = json.loads((folder / "recipe.json").read_text())
    (folder / "recipe.json").unlink()
    ended = convert("train-detector", "--photos", *coco, "-o", folder, *SMALL, "--epochs", 2)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((folder / "recipe.json").read_text()) == provenance


def test_the_rate_ends_at_zero(run: tuple[Path, str]) -> None:
    assert [row["rate"] for row in rows(run[0])] == pytest.approx([0.003, 0.0], abs=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")  # TensorFlow's, of NumPy 2
def test_a_run_that_goes_on_from_another_meets_other_scenes_and_is_held_to_the_same(tmp_path: Path) -> None:
    photos = [painted(), empty()]
    config = DetectorConfig(height=64, width=64, batch=4, scenes=8, seed=3)
    fresh = DetectorRun(config, photos, [], tmp_path / "fresh")
    start = tmp_path / "face.keras"
    fresh.network.save(start)
    config = dataclasses.replace(config, start=hashlib.sha256(start.read_bytes()).hexdigest())
    on = DetectorRun(config, photos, [], tmp_path / "on", start)

    assert not np.array_equal(fresh.scenes.made(0, 0)[0], on.scenes.made(0, 0)[0])
    assert np.array_equal(fresh._held_out.made(0, 0)[0], on._held_out.made(0, 0)[0])
