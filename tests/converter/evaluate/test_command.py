"""Networks side by side: the figures are those of the answers, the files are all there, and TensorFlow is not."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.data.faces import Faces
from converter.data.splits import HeldOut
from converter.evaluate.command import held_out_for
from fer_edge.errors import UserError
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.model_card import CardInput, ModelCard, save_card, sha256_of
from fer_edge.vision.preprocess import resized

Convert = Callable[..., subprocess.CompletedProcess[str]]

# Ends the process with a traceback as soon as anything imports TensorFlow or Keras.
NO_TENSORFLOW = "import sys\nfor name in ('tensorflow', 'keras', 'tf_keras'): sys.modules[name] = None"


def with_card(source: Path, target: Path, size: int) -> Path:
    shutil.copyfile(source, target)
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    save_card(
        ModelCard(
            name=target.stem,
            sha256=sha256_of(target.read_bytes()),
            labels=labels,
            input=CardInput(height=size, width=size, mean=0.0, std=255.0),
            output="probabilities",
        ),
        target,
    )
    return target


@pytest.fixture(scope="module")
def networks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two of other people's networks, float at 48 px and uint8 at 64 px, with cards that were written by hand."""
    folder, tflite = tmp_path_factory.mktemp("networks"), data / "models/tflite"
    return (
        with_card(tflite / "overall_best.tflite", folder / "float.tflite", 48),
        with_card(tflite / "mini_XCEPTION_int8.tflite", folder / "int8.tflite", 64),
    )


@pytest.fixture(scope="module")
def evaluated(
    networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder that was written, and the standard output."""
    output = tmp_path_factory.mktemp("evaluation") / "report"
    ended = convert("evaluate", *networks, "--data", fer2013_csv, "-o", output, before=NO_TENSORFLOW)
    assert ended.returncode == 0, ended.stderr
    return output, ended.stdout


def test_everything_is_written_without_tensorflow(evaluated: tuple[Path, str]):
    output, _ = evaluated
    names = {path.name for path in output.iterdir()}
    pictures = {f"{kind}-{stem}" for kind in ("confusion", "reliability") for stem in ("1-float.png", "2-int8.png")}
    counts = {"confusion-1-float.csv", "confusion-2-int8.csv"}
    assert names == {"report.html", "report.md", "report.json"} | pictures | counts


def test_without_a_folder_the_table_is_all_there_is(networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert):
    ended = convert("evaluate", networks[0], "--data", fer2013_csv, before=NO_TENSORFLOW)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "float" in ended.stdout
    assert "written" not in ended.stdout


def test_the_figures_are_those_of_the_answers_that_the_edge_gives(
    evaluated: tuple[Path, str], networks: tuple[Path, Path], slice_of_fer2013: Faces
):
    public = slice_of_fer2013.split("PublicTest")
    report = json.loads((evaluated[0] / "report.json").read_text())
    answers = []
    for path, size in zip(networks, (48, 64), strict=True):
        classifier = load_classifier(path)
        answers.append(np.array([classifier.scores(resized(face, size, size)).argmax() for face in public.images]))
    for model, said in zip(report["models"], answers, strict=True):
        assert model["faces"] == 350
        assert model["top1"] == pytest.approx(np.mean(said == public.labels))
        happy = public.labels == 3
        assert model["recall"][3] == pytest.approx(np.mean(said[happy] == 3))
        assert model["precision"][3] == pytest.approx(np.mean(public.labels[said == 3] == 3))
    assert report["models"][1]["agreement_with_first"] == pytest.approx(np.mean(answers[0] == answers[1]))
    assert report["models"][0]["agreement_with_first"] == 1.0


def test_counts_in_the_csv_are_the_confusion_matrix(evaluated: tuple[Path, str]):
    report = json.loads((evaluated[0] / "report.json").read_text())
    with (evaluated[0] / "confusion-1-float.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][1:] == report["emotions"]
    assert [row[0] for row in rows[1:]] == report["emotions"]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == report["models"][0]["confusion"]
    assert [sum(map(int, row[1:])) for row in rows[1:]] == [50] * 7


def test_size_and_speed_are_those_of_the_files(evaluated: tuple[Path, str], networks: tuple[Path, Path]):
    models = json.loads((evaluated[0] / "report.json").read_text())["models"]
    assert [model["bytes"] for model in models] == [path.stat().st_size for path in networks]
    assert all(model["latency_ms"] > 0 for model in models)


def test_the_table_on_the_terminal_is_the_one_in_the_file(evaluated: tuple[Path, str]):
    output, said = evaluated
    written = (output / "report.md").read_text()
    rows = [line.split("\t") for line in said.splitlines() if line.startswith(("float\t", "int8\t"))]
    assert len(rows) == 2
    for row in rows:
        assert "| " + " | ".join(row) + " |" in written


def test_pictures_are_pictures_and_stand_in_the_reports(evaluated: tuple[Path, str]):
    output, _ = evaluated
    page, text = (output / "report.html").read_text(), (output / "report.md").read_text()
    assert page.count("data:image/png;base64,") == 4
    for path in output.glob("*.png"):
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.std() > 10
        assert f"]({path.name})" in text


def test_networks_of_the_same_name_keep_apart(
    networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for path in (networks[0], networks[0].with_suffix(".json")):
            shutil.copy(path, tmp_path / folder)
    files = (tmp_path / "one/float.tflite", tmp_path / "two/float.tflite")
    ended = convert("evaluate", *files, "--data", fer2013_csv, "-o", tmp_path / "report")
    assert ended.returncode == 0, ended.stderr
    assert "\none/float.tflite\t" in ended.stdout
    assert "\ntwo/float.tflite\t" in ended.stdout
    assert len(list((tmp_path / "report").glob("confusion-*.png"))) == 2


def test_a_keras_network_is_compared_with_its_int8_file(
    data: Path, int8_network: Path, fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    original = data / "models/savedmodel"
    ended = convert("evaluate", original, int8_network, "--data", fer2013_csv, "-o", tmp_path / "report")
    assert ended.returncode == 0, ended.stderr
    first, second = json.loads((tmp_path / "report/report.json").read_text())["models"]
    assert first["kind"] == "SavedModel of Keras 2"
    assert first["latency_ms"] is None
    assert second["kind"] == "int8"
    assert second["agreement_with_first"] > 0.93


def test_a_full_disk_under_temporary_files_is_one_line(data: Path, fer2013_csv: Path, convert: Convert):
    # No file may grow beyond 100 kB; the copy of the graph that TensorFlow loads is larger.
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    ended = convert("evaluate", data / "models/savedmodel", "--data", fer2013_csv, before=full)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert "cannot be written: File too large; make room" in ended.stderr


def test_no_place_for_temporary_files_is_one_line(data: Path, fer2013_csv: Path, convert: Convert):
    nowhere = "import tempfile; tempfile.tempdir = '/dev/null'"
    ended = convert("evaluate", data / "models/savedmodel", "--data", fer2013_csv, before=nowhere)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert ended.stderr.startswith("fer-convert: no temporary file can be made: Not a directory; make room, or set")


@pytest.mark.parametrize("spoil", ["card", "file", "json"])
def test_what_cannot_be_run_is_one_line_and_does_not_end_the_measuring_of_the_others(
    networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert, tmp_path: Path, spoil: str
):
    path = Path(shutil.copy(networks[0], tmp_path / "net.tflite"))
    if spoil != "card":
        shutil.copy(networks[0].with_suffix(".json"), tmp_path / "net.json")
    if spoil == "file":
        path.write_bytes(path.read_bytes()[:1000])
    labelled = tmp_path / "net.json" if spoil == "json" else path
    arguments = (networks[1], labelled, "--data", fer2013_csv, "-o", tmp_path / "report")
    ended = convert("evaluate", *arguments, before=NO_TENSORFLOW)
    assert ended.returncode == 1
    assert str(labelled) in ended.stderr
    says = {"card": "has no card", "file": "is not the file that net.json describes", "json": "give the network itself"}
    assert says[spoil] in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [model["name"] for model in json.loads((tmp_path / "report/report.json").read_text())["models"]] == ["int8"]


def test_files_of_which_none_can_be_run_are_a_line_each_before_any_face_is_read(convert: Convert, tmp_path: Path):
    for name in ("one.tflite", "other.tflite"):
        (tmp_path / name).touch()
    ended = convert("evaluate", tmp_path / "one.tflite", tmp_path / "other.tflite", "--data", tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 2)
    assert "other.tflite" in ended.stderr


def test_an_untrained_network_is_marked_in_the_table(
    networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    shutil.copy(networks[0], tmp_path / "net.tflite")
    card = json.loads(networks[0].with_suffix(".json").read_text())
    card["training"] = {"kind": "int8", "layout": "none: untrained"}
    (tmp_path / "net.json").write_text(json.dumps(card))
    ended = convert("evaluate", tmp_path / "net.tflite", "--data", fer2013_csv, before=NO_TENSORFLOW)
    assert "int8, untrained" in ended.stdout


def test_a_tflite_file_is_known_by_its_ending_in_capitals(
    networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    shutil.copy(networks[0], tmp_path / "NET.TFLITE")
    shutil.copy(networks[0].with_suffix(".json"), tmp_path / "NET.json")
    ended = convert("evaluate", tmp_path / "NET.TFLITE", "--data", fer2013_csv, before=NO_TENSORFLOW)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_split_that_is_not_there_is_one_line(
    networks: tuple[Path, Path], fer2013_csv: Path, convert: Convert, tmp_path: Path
):
    split = ("--split", "PrivateTest")
    ended = convert("evaluate", networks[0], "--data", fer2013_csv, "-o", tmp_path / "report", *split)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"fer-convert: {fer2013_csv}: has no PrivateTest faces; give data with a Usage column that names some, or with "
        "a `test` folder beside `train` and `validation`, or --split Training\n"
    )


def story_beside(network: Path, seed: int) -> Path:
    """The path of a network of `fer-convert train` that held faces out by ``seed``; the network itself is not there."""
    network.parent.mkdir()
    told = {"network": network.stem, "data": {"held_out": {"seed": seed, "sha256": f"{seed:064}"}}}
    network.with_name("recipe.json").write_text(json.dumps(told))
    return network


def test_networks_that_had_other_faces_held_out_are_not_compared(tmp_path: Path):
    one, other = (story_beside(tmp_path / str(seed) / "nano.keras", seed) for seed in (1, 2))
    with pytest.raises(UserError, match="were trained with other faces held out; evaluate them one by one"):
        held_out_for({one: None, other: None})


def test_a_network_without_a_record_is_measured_on_the_faces_of_the_one_with_a_record(tmp_path: Path):
    one = story_beside(tmp_path / "1/nano.keras", 1)
    assert held_out_for({tmp_path / "mini.keras": None, one: None}) == HeldOut(1, f"{1:064}")
    assert held_out_for({tmp_path / "mini.keras": None}) is None
