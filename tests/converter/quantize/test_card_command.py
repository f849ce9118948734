"""Other people's TFLite files run in the daemon once a card is written for them."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from converter.data.faces import Faces
from fer_edge.emotions import EMOTIONS
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.model_card import card_path, load_card
from fer_edge.vision.preprocess import resized

Convert = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def theirs(data: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copy(data / "models/tflite" / name, tmp_path / name))


@pytest.mark.parametrize(("name", "side"), [("mini_XCEPTION_int8.tflite", 64), ("overall_best.tflite", 48)])
def test_a_card_is_written_that_the_daemon_takes_and_with_it_the_network_is_right(
    theirs: Callable[[str], Path], name: str, side: int, fer2013_csv: Path, convert: Convert, slice_of_fer2013: Faces
):
    file = theirs(name)
    ended = convert("card", file, "--data", fer2013_csv)
    assert ended.returncode == 0, ended.stderr
    assert "layout: [0, 1] in fer2013 order reads" in ended.stdout
    classifier = load_classifier(file)  # as the daemon does: hash, shapes and labels are checked
    assert (classifier.card.input.height, classifier.card.input.mean, classifier.card.input.std) == (side, 0.0, 255.0)
    assert classifier.card.labels == EMOTIONS
    assert classifier.card.output == "probabilities"
    happy = slice_of_fer2013.split("PublicTest").chosen(slice_of_fer2013.split("PublicTest").labels == 3)
    said = [classifier.scores(resized(face, side, side)).argmax() for face in happy.images]
    assert np.mean(np.array(said) == 3) > 0.75


def test_what_is_given_is_written_as_it_was_given(theirs: Callable[[str], Path], fer2013_csv: Path, convert: Convert):
    file = theirs("overall_best.tflite")
    order = "neutral,happy,sad,surprise,fear,disgust,angry"
    given = ("--labels", order, "--mean", "10", "--std", "200", "--name", "theirs", "--licence", "none stated")
    ended = convert("card", file, "--data", fer2013_csv, *given)
    assert ended.returncode == 0, ended.stderr
    card = load_card(file)
    assert card.labels == tuple(order.split(","))
    assert (card.input.mean, card.input.std, card.name, card.licence) == (10.0, 200.0, "theirs", "none stated")
    assert card.training["layout"] == "given by the user"


def test_a_file_that_is_no_tflite_network_is_one_line(fer2013_csv: Path, convert: Convert, tmp_path: Path):
    file = tmp_path / "net.tflite"
    file.write_bytes(b"not a network")
    ended = convert("card", file, "--data", fer2013_csv)
    assert ended.returncode == 1
    assert "is not a TFLite model" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not card_path(file).exists()


def test_a_json_file_that_is_no_card_is_not_overwritten(
    theirs: Callable[[str], Path], fer2013_csv: Path, convert: Convert
):
    file = theirs("overall_best.tflite")
    card_path(file).write_text('{"class_name": "Sequential"}')
    ended = convert("card", file, "--data", fer2013_csv)
    assert ended.returncode == 1
    assert "is there and is no model card" in ended.stderr
    assert card_path(file).read_text() == '{"class_name": "Sequential"}'
    assert "move it away, or rename overall_best.tflite" in ended.stderr
    assert "--output" not in ended.stderr, "the command has none"


def test_a_file_by_another_ending_is_to_be_renamed(theirs: Callable[[str], Path], fer2013_csv: Path, convert: Convert):
    file = theirs("overall_best.tflite")
    file = file.rename(file.with_suffix(".lite"))
    ended = convert("card", file, "--data", fer2013_csv)
    assert ended.returncode == 2
    assert "must end in .tflite; rename overall_best.lite first" in ended.stderr
    assert "--output" not in ended.stderr


def test_data_without_public_test_are_refused_with_the_cure(
    theirs: Callable[[str], Path], slice_of_fer2013: Faces, convert: Convert, tmp_path: Path
):
    pixels = " ".join(map(str, slice_of_fer2013.images[0].ravel()))
    (tmp_path / "train.csv").write_text(f"emotion,pixels\n3,{pixels}\n")
    ended = convert("card", theirs("overall_best.tflite"), "--data", tmp_path / "train.csv")
    assert ended.returncode == 1
    assert ended.stderr.endswith(
        "train.csv: has no PublicTest faces; give data with a Usage column that names some, or with a `test` folder "
        "beside `train`\n"
    )
