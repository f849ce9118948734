"""Score offset of a new detector, with the network that ships and pictures that are new to it.

And what an export does not overwrite.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace as changed

from converter.detector.dataset import Photo
from converter.detector.export import DISTANCE, command, score_offset
from converter.quantize.command import check_output
from fer_edge.config.model import DetectSettings
from fer_edge.errors import UserError
from fer_edge.vision.interpreter import Interpreter
from fer_edge.vision.model_card import load_detector_card, save_card
from fer_edge.vision.tflite_detector import SHIPPED, TfliteDetector
from tests.converter.detector.conftest import empty

Convert = Callable[..., subprocess.CompletedProcess[str]]

CARD = changed(load_detector_card(SHIPPED), score_offset=0.0)
CONTENT = SHIPPED.read_bytes()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder as a training leaves it; the weights' content does not matter here."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "face.json").write_text('{"class_name": "Functional"}')
    (folder / "face.weights.h5").write_bytes(b"weights")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> tuple[str, Path, Path]:
    """`--photos` of one photo."""
    cv2.imwrite(str(tmp_path / "photo.png"), empty().pixels)
    images = [{"id": 1, "file_name": "photo.png"}]
    (tmp_path / "faces.json").write_text(json.dumps({"images": images, "annotations": []}))
    return "--photos", tmp_path / "faces.json", tmp_path


def test_the_architecture_of_a_run_is_not_overwritten_by_a_card(run: Path, photos: tuple[str, Path, Path]):
    arguments = map(str, (run, "-o", run / "face.tflite", *photos))
    with pytest.raises(UserError, match=r"face\.json: is there and is no model card.*choose another --output$"):
        command.main(list(arguments), standalone_mode=False)
    assert (run / "face.json").read_text() == '{"class_name": "Functional"}'
    assert not (run / "face.tflite").exists()


def test_the_card_of_an_earlier_export_may_be_overwritten_and_that_of_another_kind_may_not(tmp_path: Path):
    output = tmp_path / "face.tflite"
    save_card(CARD, output)
    check_output(output, load_detector_card)
    with pytest.raises(UserError, match="is no model card"):
        check_output(output)


def test_weights_that_are_none_are_one_line_and_nothing_is_left(
    run: Path, photos: tuple[str, Path, Path], convert: Convert, tmp_path: Path
):
    ended = convert("export-detector", run, "-o", tmp_path / "out/net.tflite", *photos)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"fer-convert: {run / 'face.weights.h5'}: is no Keras network")
    assert ended.stderr.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def noise(seed: int, *, known_empty: bool = True) -> Photo:
    pixels = np.random.default_rng(seed).integers(0, 256, (90, 120, 3), np.uint8)
    return replace(empty(), pixels=pixels, known_empty=known_empty)


def surest(photo: Photo, offset: float) -> float:
    card = changed(CARD, score_offset=offset)
    detector = TfliteDetector(card, Interpreter(CONTENT, "net"), DetectSettings(width=160, score=0.0))
    return max(face.score for face in detector.detect(photo.pixels))


def test_photo_known_to_be_empty_stands_below_the_usual_score():
    offset = score_offset(CARD, CONTENT, [noise(1)])
    assert surest(noise(1), offset) == pytest.approx(DetectSettings().score - DISTANCE, abs=0.001)


@pytest.fixture(scope="module")
def dull_and_odd() -> tuple[Photo, Photo]:
    """The photos with the lowest and with the highest score of twenty, whatever network ships."""
    dull, *_, odd = sorted((noise(seed) for seed in range(20)), key=lambda photo: surest(photo, 0.0))
    assert surest(dull, 0.0) < surest(odd, 0.0)
    return dull, odd


def test_one_odd_photo_among_hundreds_does_not_count_and_one_among_a_few_does(dull_and_odd: tuple[Photo, Photo]):
    dull, odd = dull_and_odd
    assert score_offset(CARD, CONTENT, [dull] * 150 + [odd]) == score_offset(CARD, CONTENT, [dull])
    assert score_offset(CARD, CONTENT, [dull, odd]) < score_offset(CARD, CONTENT, [dull])


def test_photos_without_pseudo_labels_are_not_known_to_be_empty(dull_and_odd: tuple[Photo, Photo]):
    dull, odd = dull_and_odd
    missed = replace(odd, known_empty=False)
    assert score_offset(CARD, CONTENT, [dull, missed]) == score_offset(CARD, CONTENT, [dull])


def test_without_such_photos_scores_stay_as_they_are():
    assert score_offset(CARD, CONTENT, [noise(1, known_empty=False)]) == 0.0
