"""Temperatures that can be worked out by hand: three of four right must end at 75 %."""

import numpy as np
import pytest

from converter.networks.calibration import TEMPERATURE_LIMITS, fit_temperature, softmax


def two_way(lead: float, faces: int) -> np.ndarray:
    """(faces, 7) logits: the first class leads the second by ``lead``, the other five are out of the question."""
    logits = np.full((faces, 7), -1000.0)
    logits[:, 0], logits[:, 1] = lead, 0.0
    return logits


def test_overconfident_answers_get_the_temperature_that_makes_them_as_sure_as_they_are_right():
    # exp(lead / T) must be 3, the odds of 3 right to 1 wrong; with a lead of 2 ln 3, T is 2.
    logits = two_way(2 * np.log(3), 4)
    temperature = fit_temperature(logits, np.array([0, 0, 0, 1]))
    assert temperature == pytest.approx(2.0)
    assert softmax(logits, temperature)[0, :2] == pytest.approx([0.75, 0.25])


def test_modest_answers_get_a_temperature_below_one():
    assert fit_temperature(two_way(np.log(3) / 2, 4), np.array([0, 0, 0, 1])) == pytest.approx(0.5)


def test_answers_that_are_honest_already_keep_theirs():
    assert fit_temperature(two_way(np.log(3), 4), np.array([0, 0, 0, 1])) == pytest.approx(1.0)


def test_answers_that_are_always_right_or_mostly_wrong_end_at_the_limits():
    assert fit_temperature(two_way(1.0, 4), np.array([0, 0, 0, 0])) == pytest.approx(TEMPERATURE_LIMITS[0])
    assert fit_temperature(two_way(1.0, 4), np.array([1, 1, 1, 0])) == pytest.approx(TEMPERATURE_LIMITS[1])


def test_a_temperature_changes_no_answer():
    logits = np.random.default_rng(1).normal(size=(50, 7))
    assert (softmax(logits, 7.0).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_probabilities_sum_to_one_even_of_huge_logits():
    assert softmax(np.array([[1e4, 0.0, -1e4, 0, 0, 0, 0]])).sum() == pytest.approx(1.0)
