"""Figures worked out by hand from a handful of answers."""

import numpy as np
import pytest

from converter.networks.metrics import (
    agreement,
    confusion,
    log_loss,
    loss_of_score,
    macro_f1,
    measure,
    per_class,
    reliability,
)

ANGRY, DISGUST, HAPPY = 0, 1, 3


def sure(*answers: tuple[int, float]) -> np.ndarray:
    """(n, 7): each answer a class with its confidence, the rest shared by the other six."""
    rows = np.empty((len(answers), 7))
    for row, (label, confidence) in zip(rows, answers, strict=True):
        row[:] = (1 - confidence) / 6
        row[label] = confidence
    return rows


def test_rows_of_the_confusion_matrix_are_true_classes_and_columns_predicted_ones():
    counts = confusion(np.array([ANGRY, ANGRY, DISGUST]), np.array([ANGRY, HAPPY, DISGUST]))
    assert counts.shape == (7, 7)
    assert counts[ANGRY, HAPPY] == 1
    assert counts[HAPPY, ANGRY] == 0
    assert counts.sum() == 3


def test_precision_recall_and_f1_of_each_class():
    # angry: 3 there, 2 of them found, and 1 disgust called angry. disgust: 2 there, 1 found, nothing else called so.
    truth = np.array([ANGRY, ANGRY, ANGRY, DISGUST, DISGUST])
    predicted = np.array([ANGRY, ANGRY, HAPPY, ANGRY, DISGUST])
    precision, recall, f1 = per_class(confusion(truth, predicted))
    assert precision[[ANGRY, DISGUST, HAPPY]] == pytest.approx([2 / 3, 1.0, 0.0])
    assert recall[[ANGRY, DISGUST, HAPPY]] == pytest.approx([2 / 3, 1 / 2, 0.0])
    assert f1[[ANGRY, DISGUST, HAPPY]] == pytest.approx([2 / 3, 2 / 3, 0.0])


def test_macro_f1_counts_a_class_that_was_only_predicted_and_not_one_that_never_came_up():
    truth = np.array([ANGRY, ANGRY, ANGRY, DISGUST, DISGUST])
    predicted = np.array([ANGRY, ANGRY, HAPPY, ANGRY, DISGUST])
    assert macro_f1(confusion(truth, predicted)) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_ece_is_the_gap_of_each_bin_weighted_by_its_faces():
    # Three answers of 0.95, two right: gap 0.95 - 2/3. One of 0.45, right: gap 0.55. Weighted 3:1.
    probabilities = sure((ANGRY, 0.95), (ANGRY, 0.95), (ANGRY, 0.95), (HAPPY, 0.45))
    truth = np.array([ANGRY, ANGRY, DISGUST, HAPPY])
    assert reliability(probabilities, truth).ece == pytest.approx((3 * (0.95 - 2 / 3) + 0.55) / 4)


def test_ece_of_answers_that_are_as_sure_as_they_are_right_is_nothing():
    probabilities = sure(*[(ANGRY, 0.75)] * 4)
    assert reliability(probabilities, np.array([ANGRY, ANGRY, ANGRY, HAPPY])).ece == pytest.approx(0)


def test_over_and_underconfidence_do_not_cancel_out():
    # At 0.9 all wrong, at 0.5 all right: gaps 0.9 and 0.5, not their difference.
    probabilities = sure((ANGRY, 0.9), (ANGRY, 0.5))
    assert reliability(probabilities, np.array([HAPPY, ANGRY])).ece == pytest.approx((0.9 + 0.5) / 2)


@pytest.mark.parametrize(("confidence", "expected"), [(0.2, 0), (0.2001, 1), (0.4, 1), (1.0, 4)])
def test_an_answer_on_the_border_of_two_bins_belongs_to_the_lower_one(confidence: float, expected: int):
    faces = reliability(sure((ANGRY, confidence)), np.array([ANGRY]), bins=5).faces
    assert faces.tolist() == [int(k == expected) for k in range(5)]


def test_log_loss_is_that_of_the_true_class_whatever_was_answered():
    probabilities = sure((ANGRY, 0.5), (ANGRY, 0.4))
    assert log_loss(probabilities, np.array([ANGRY, HAPPY])) == pytest.approx((np.log(2) + np.log(10)) / 2)


def test_log_loss_of_a_true_class_that_got_nothing_is_large_and_finite():
    assert 20 < log_loss(sure((ANGRY, 1.0)), np.array([HAPPY])) < 100


def test_two_networks_agree_where_they_name_the_same_expression_however_sure():
    one = sure((ANGRY, 0.9), (HAPPY, 0.9), (HAPPY, 0.3))
    other = sure((ANGRY, 0.2), (HAPPY, 0.8), (DISGUST, 0.3))
    assert agreement(one, other) == pytest.approx(2 / 3)


def test_measure_gathers_what_the_single_figures_say():
    probabilities = sure((ANGRY, 0.9), (ANGRY, 0.9), (HAPPY, 0.9), (HAPPY, 0.9))
    measured = measure(probabilities, np.array([ANGRY, ANGRY, HAPPY, DISGUST]))
    assert measured.faces == 4
    assert measured.top1 == pytest.approx(0.75)
    assert measured.ece == pytest.approx(0.15)
    assert measured.recall[DISGUST] == 0


def test_answers_and_labels_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        measure(sure((ANGRY, 0.9)), np.array([ANGRY, HAPPY]))
    with pytest.raises(ValueError, match="do not belong together"):
        measure(np.empty((0, 7)), np.empty(0, np.int64))


def test_a_loss_is_the_difference_of_the_scores_and_its_error_that_of_the_faces_that_changed():
    truth = np.array([ANGRY, ANGRY, HAPPY, HAPPY])
    reference = sure((ANGRY, 0.9), (ANGRY, 0.9), (HAPPY, 0.9), (ANGRY, 0.9))
    worse = sure((HAPPY, 0.9), (HAPPY, 0.9), (ANGRY, 0.9), (HAPPY, 0.9))
    # Differences 1, 1, 1, -1: their mean is 0.5, their deviation sqrt(3/4), over sqrt(4) faces.
    assert loss_of_score(worse, reference, truth) == pytest.approx((0.5, 0.75**0.5 / 2))
    assert loss_of_score(reference, reference, truth) == (0.0, 0.0)
