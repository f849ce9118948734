"""Faces and targets of an epoch."""

import numpy as np
import pytest

from converter.data.augment import AMOUNTS, Augment
from converter.data.faces import FERPLUS, Faces
from converter.train.batches import Balance, Epochs, class_weights, inputs, targets


def faces(labels: list[int], votes: list[list[int]] | None = None) -> Faces:
    """Faces that are grey all over, each with its own number as its grey."""
    count = len(labels)
    images = np.repeat(np.arange(count, dtype=np.uint8), 48 * 48).reshape(count, 48, 48)
    usages = np.array(["Training"] * count)
    return Faces(images, np.array(labels), usages, np.arange(count), None if votes is None else np.array(votes))


def epochs(
    of: Faces, batch: int = 4, balance: Balance = "none", augment: Augment = AMOUNTS["none"], seed: int = 1
) -> Epochs:
    return Epochs(of, targets(of, 0, 0), batch, seed, augment, balance)


def voted(**votes: int) -> list[int]:
    return [votes.get(name, 0) for name in FERPLUS]


def test_black_and_white_become_minus_one_and_one() -> None:
    made = inputs(np.array([[[0, 255]]], np.uint8))
    assert made.shape == (1, 1, 2, 1)
    assert made.ravel().tolist() == [-1.0, 1.0]
    assert made.dtype == np.float32


def test_a_label_alone_is_a_one_among_zeros() -> None:
    assert targets(faces([4]), 0.3, 0.0).tolist() == [[0, 0, 0, 0, 1, 0, 0]]


def test_votes_are_mixed_into_the_target_in_our_order() -> None:
    # Label sad; of ten votes five are sadness, three neutral, two have no class here.
    truth = targets(faces([4], [voted(sadness=5, neutral=3, contempt=1, unknown=1)]), 0.4, 0.0)
    assert truth[0] == pytest.approx([0, 0, 0, 0, 0.6 + 0.4 * 5 / 8, 0, 0.4 * 3 / 8])


def test_a_face_without_votes_for_our_seven_keeps_its_label() -> None:
    assert targets(faces([2], [voted(contempt=6, NF=4)]), 0.4, 0.0)[0] == pytest.approx([0, 0, 1, 0, 0, 0, 0])


def test_smoothing_spreads_its_share_evenly() -> None:
    truth = targets(faces([0]), 0.0, 0.7)
    assert truth[0] == pytest.approx([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])


def test_a_teacher_s_share_is_taken_of_label_and_votes_together() -> None:
    said = np.array([[0, 0, 0, 0.2, 0.8, 0, 0]], np.float32)
    truth = targets(faces([4], [voted(neutral=10)]), 0.5, 0.0, said, 0.5)
    assert truth[0] == pytest.approx([0, 0, 0, 0.1, 0.25 + 0.4, 0, 0.25])
    assert targets(faces([4]), 0.0, 0.0, said, 0.0)[0] == pytest.approx([0, 0, 0, 0, 1, 0, 0])


def test_a_class_weighs_inversely_to_its_count() -> None:
    # 12 faces in three classes: four each would weigh 1.
    weights = class_weights(np.array([8, 2, 2, 0, 0, 0, 0]))
    assert weights == pytest.approx([0.5, 2, 2, 0, 0, 0, 0])


def test_an_epoch_shows_every_face_once_in_another_order_each_time() -> None:
    made = epochs(faces([0] * 50))
    assert sorted(made.order(0)) == list(range(50))
    assert made.order(0).tolist() != made.order(1).tolist()
    assert made.order(1).tolist() == made.order(1).tolist()
    assert made.order(1).tolist() != epochs(faces([0] * 50), seed=2).order(1).tolist()


def test_balanced_sampling_shows_classes_equally_often() -> None:
    of = faces([0] * 180 + [1] * 20)
    shown = np.concatenate([of.labels[epochs(of, balance="sampling").order(epoch)] for epoch in range(20)])
    assert len(shown) == 4000
    assert 1850 <= (shown == 1).sum() <= 2150  # 2000, and almost five standard deviations either way


def test_without_balancing_rare_faces_stay_rare() -> None:
    of = faces([0] * 180 + [1] * 20)
    assert (of.labels[epochs(of).order(0)] == 1).sum() == 20


def test_weights_go_with_their_faces() -> None:
    of = faces([0, 0, 0, 1])
    made = epochs(of, balance="weights")
    order = made.order(0)
    _, truth, weights = made.made(0, 0, order)
    assert weights.tolist() == pytest.approx([2.0 if row[1] else 2 / 3 for row in truth])


def test_pictures_and_targets_stay_together_through_a_run() -> None:
    of = faces([index % 7 for index in range(30)])
    for pixels, truth, weights in epochs(of).stream(0, 3):
        numbers = np.rint(pixels[:, 0, 0, 0] * 127.5 + 127.5).astype(int)
        assert truth.argmax(axis=1).tolist() == (numbers % 7).tolist()
        assert weights.tolist() == [1, 1, 1, 1]


def test_a_run_that_begins_later_shows_what_the_whole_run_would_have() -> None:
    of = faces([index % 7 for index in range(30)])
    made = epochs(of, augment=AMOUNTS["strong"])
    whole = list(made.stream(0, 4))
    rest = list(made.stream(2, 4, workers=3))
    assert len(whole) == 4 * 7  # two faces of thirty do not fill a batch of four
    assert len(rest) == 2 * 7
    for (pixels, truth, _), (pixels_too, truth_too, _) in zip(whole[14:], rest, strict=True):
        assert np.array_equal(pixels, pixels_too)
        assert np.array_equal(truth, truth_too)


def test_the_same_faces_look_different_in_the_next_epoch() -> None:
    of = faces([0, 1, 2, 3])
    made = epochs(of, augment=Augment(brightness=0.5))
    order = np.arange(4)
    assert not np.array_equal(made.made(0, 0, order)[0], made.made(1, 0, order)[0])
    assert np.array_equal(made.made(1, 0, order)[0], made.made(1, 0, order)[0])
