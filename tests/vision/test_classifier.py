"""Classifier: calibrated probabilities in one order, independent of the network's own."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.emotions import EMOTIONS
from fer_edge.vision.classifier import calibrated, load_classifier
from fer_edge.vision.preprocess import resized

HALF = np.log(2.0)


def test_logits_become_their_softmax():
    scores = calibrated(np.array([HALF, 0.0, 0.0], np.float32), "logits", 1.0)
    assert scores.dtype == np.float32
    assert scores == pytest.approx([0.5, 0.25, 0.25])


def test_a_temperature_of_two_takes_the_square_root_of_the_odds():
    scores = calibrated(np.array([0.8, 0.2], np.float32), "probabilities", 2.0)
    assert scores == pytest.approx([2 / 3, 1 / 3])  # 4:1 becomes 2:1


def test_probabilities_at_temperature_one_stay_what_they_are():
    given = np.array([0.7, 0.2, 0.1], np.float32)
    assert calibrated(given, "probabilities", 1.0) == pytest.approx(given)


def test_a_probability_of_zero_gives_a_number():
    scores = calibrated(np.array([1.0, 0.0, 0.0], np.float32), "probabilities", 1.5)
    assert np.isfinite(scores).all()
    assert scores[0] > 0.99


def test_huge_logits_do_not_overflow():
    assert calibrated(np.array([1e4, 0.0], np.float32), "logits", 0.1).tolist() == [1.0, 0.0]


def test_a_whole_table_of_faces_is_calibrated_row_by_row():
    table = np.array([[0.8, 0.2], [0.5, 0.5]], np.float32)
    assert calibrated(table, "probabilities", 2.0) == pytest.approx(np.array([[2 / 3, 1 / 3], [0.5, 0.5]]))


def test_the_networks_order_is_undone(int8_model: Path):
    """The same file with a card that swaps two names must swap their scores, and nothing else."""
    face = np.random.default_rng(5).integers(0, 256, (64, 64), dtype=np.uint8)
    right = load_classifier(int8_model).scores(face)
    card = int8_model.with_suffix(".json")
    text = card.read_text()
    card.write_text(text.replace('"happy"', '"x"').replace('"neutral"', '"happy"').replace('"x"', '"neutral"'))
    swapped = load_classifier(int8_model).scores(face)
    happy, neutral = EMOTIONS.index("happy"), EMOTIONS.index("neutral")
    expected = right.copy()
    expected[[happy, neutral]] = right[[neutral, happy]]
    assert right[happy] != right[neutral]
    assert swapped == pytest.approx(expected)


@pytest.mark.parametrize("model", ["int8_model", "float_model"])
def test_looked_up_scores_are_those_of_the_formula(model: str, request: pytest.FixtureRequest):
    classifier = load_classifier(request.getfixturevalue(model))
    side = classifier.card.input.height
    for seed in range(20):
        face = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
        assert classifier.scores(face) == pytest.approx(calibrated(classifier.raw(face), "probabilities", 1.0))


def test_a_network_of_three_channels_is_fed_the_grey_three_times(int8_model: Path):
    classifier = load_classifier(int8_model)
    seen = []

    class Spy:
        """Interpreter that records its input."""

        input = classifier.interpreter.input
        output = classifier.interpreter.output

        def invoke(self, tensor):
            seen.append(tensor)
            return np.zeros((1, 7), np.uint8)

    three = type(classifier.card.input)(height=64, width=64, channels=3, mean=0.0, std=255.0)
    card = type(classifier.card)(
        name="rgb", sha256="0" * 64, labels=classifier.card.labels, input=three, output="probabilities"
    )
    face = np.random.default_rng(5).integers(0, 256, (64, 64), dtype=np.uint8)
    type(classifier)(card, Spy()).scores(face)
    assert seen[0].shape == (1, 64, 64, 3)
    assert all(np.array_equal(seen[0][0, :, :, channel], face) for channel in range(3))


@pytest.mark.parametrize(("model", "least"), [("int8_model", 0.55), ("float_model", 0.45)])
def test_faces_of_fer2013_are_recognised(model: str, least: float, data: Path, request: pytest.FixtureRequest):
    """End to end over preprocessing, scaling and order: each of them wrong costs more than the margin left here."""
    classifier = load_classifier(request.getfixturevalue(model))
    side = classifier.card.input.height
    rows = [line.split(",") for line in (data / "fer2013/labels.csv").read_text().splitlines()[1:]]
    rows = [row for row in rows if row[0] == "PublicTest-00.webp"][:300]
    sheet = cv2.imread(str(data / "fer2013/PublicTest-00.webp"), cv2.IMREAD_GRAYSCALE)
    hits = 0
    for row in rows:
        k = int(row[1])
        face = sheet[48 * (k // 32) : 48 * (k // 32) + 48, 48 * (k % 32) : 48 * (k % 32) + 48]
        hits += int(classifier.scores(resized(face, side, side)).argmax()) == int(row[4])
    assert hits / len(rows) > least
