"""How the scores of a new detector are shifted, by the network that ships and pictures that it has never seen."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec.structs import replace as changed

from converter.detector.export import DISTANCE, score_offset
from converter.detector.photos import Photo
from fer_edge.config import DetectSettings
from fer_edge.vision.detector_card import load_detector_card
from fer_edge.vision.own import SHIPPED, OwnDetector
from fer_edge.vision.runner import Runner
from tests.converter.detector.conftest import empty

CARD = changed(load_detector_card(SHIPPED), score_offset=0.0)
CONTENT = SHIPPED.read_bytes()


def noise(seed: int, *, known_empty: bool = True) -> Photo:
    pixels = np.random.default_rng(seed).integers(0, 256, (90, 120, 3), np.uint8)
    return replace(empty(), pixels=pixels, known_empty=known_empty)


def surest(photo: Photo, offset: float) -> float:
    card = changed(CARD, score_offset=offset)
    detector = OwnDetector(card, Runner(CONTENT, "net"), DetectSettings(width=160, score=0.0))
    return max(face.score for face in detector.detect(photo.pixels))


def test_photo_known_to_be_empty_stands_below_the_usual_score():
    offset = score_offset(CARD, CONTENT, [noise(1)])
    assert surest(noise(1), offset) == pytest.approx(DetectSettings().score - DISTANCE, abs=0.001)


@pytest.fixture(scope="module")
def dull_and_odd() -> tuple[Photo, Photo]:
    """Of some photos the one with the least sure box, and the one with the surest, whatever network ships."""
    dull, *_, odd = sorted((noise(seed) for seed in range(20)), key=lambda photo: surest(photo, 0.0))
    assert surest(dull, 0.0) < surest(odd, 0.0)
    return dull, odd


def test_one_odd_photo_among_hundreds_does_not_count_and_one_among_a_few_does(dull_and_odd: tuple[Photo, Photo]):
    dull, odd = dull_and_odd
    assert score_offset(CARD, CONTENT, [dull] * 150 + [odd]) == score_offset(CARD, CONTENT, [dull])
    assert score_offset(CARD, CONTENT, [dull, odd]) < score_offset(CARD, CONTENT, [dull])


def test_photos_in_which_only_the_teacher_saw_nobody_do_not_count(dull_and_odd: tuple[Photo, Photo]):
    dull, odd = dull_and_odd
    missed = replace(odd, known_empty=False)
    assert score_offset(CARD, CONTENT, [dull, missed]) == score_offset(CARD, CONTENT, [dull])


def test_without_such_photos_scores_stay_as_they_are():
    assert score_offset(CARD, CONTENT, [noise(1, known_empty=False)]) == 0.0
