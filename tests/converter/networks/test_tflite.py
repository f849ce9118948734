"""Temperature and scores in a card, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from converter.data.faces import PUBLIC, Faces
from converter.networks.tflite import calibrated_card, operations, run_tflite
from fer_edge.emotions import EMOTIONS
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.model_card import CardInput, ModelCard, save_card, sha256_of
from fer_edge.vision.preprocess import resized

CARD = ModelCard(
    name="hand-made",
    sha256="0" * 64,
    labels=EMOTIONS,
    input=CardInput(height=48, width=48, mean=0.0, std=255.0),
    output="logits",
)


def leading(classes: list[int], lead: float) -> np.ndarray:
    """(n, 7) logits that prefer one class each to angry by ``lead``, and leave the others out of the question."""
    logits = np.full((len(classes), 7), -1000.0)
    logits[:, 0] = 0.0
    logits[np.arange(len(classes)), classes] = lead
    return logits


def test_a_file_that_is_right_three_times_of_four_becomes_three_quarters_sure():
    raw, truth = leading([3, 3, 3, 3], 2 * np.log(3)), np.array([3, 3, 3, 0])
    card = calibrated_card(CARD, raw, truth, PUBLIC)
    assert card.temperature == pytest.approx(2.0)
    scores = card.scores["PublicTest"]
    assert scores["top1"] == 0.75
    assert scores["ece"] == pytest.approx(0.0, abs=1e-4)
    assert scores["ece_before_temperature"] == pytest.approx(0.9 - 0.75, abs=1e-4)  # odds of 9:1
    assert "original_top1" not in scores


def test_probabilities_are_calibrated_through_their_logarithms():
    probabilities = np.zeros((4, 7))
    probabilities[:, 3], probabilities[:, 0] = 0.9, 0.1  # odds of 9:1 again
    card = calibrated_card(replace(CARD, output="probabilities"), probabilities, np.array([3, 3, 3, 0]), PUBLIC)
    assert card.temperature == pytest.approx(2.0, abs=0.1)  # the five zeros count for 1e-7 each


def test_the_original_is_scored_beside_and_agreement_counted():
    raw, truth = leading([3, 3, 3, 3], np.log(3)), np.array([3, 3, 3, 0])
    original = np.full((4, 7), 0.0)
    original[np.arange(4), [3, 3, 3, 0]] = 1.0
    scores = calibrated_card(CARD, raw, truth, PUBLIC, original).scores["PublicTest"]
    assert scores["original_top1"] == 1.0
    assert scores["agreement_with_original"] == 0.75
    assert scores["faces"] == 4


def test_operations_are_counted_as_they_were_written(data: Path):
    found = operations((data / "models/tflite/overall_best.tflite").read_bytes())
    assert found["CONV_2D"] == 15
    assert found["SOFTMAX"] == 1
    assert "DELEGATE" not in found


def test_faces_are_brought_to_the_networks_size_and_answers_to_our_order(
    data: Path, tmp_path: Path, slice_of_fer2013: Faces
):
    content = (data / "models/tflite/mini_XCEPTION_int8.tflite").read_bytes()
    model = tmp_path / "net.tflite"
    model.write_bytes(content)
    backwards = EMOTIONS[::-1]
    size = CardInput(height=64, width=64, mean=0.0, std=255.0)
    save_card(
        ModelCard(name="net", sha256=sha256_of(content), labels=backwards, input=size, output="probabilities"), model
    )
    classifier = load_classifier(model)
    faces = slice_of_fer2013.images[:2]
    answers = run_tflite(classifier, faces)
    assert answers.shape == (2, 7)
    stored = classifier.interpreter.invoke(resized(faces[1], 64, 64)[None, :, :, None])[0]
    assert answers[1] == pytest.approx(stored[::-1] / 256, abs=1e-6)  # its input is the pixels themselves, [0, 1]
