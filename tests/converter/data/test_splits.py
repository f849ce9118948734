"""Held-out split: a tenth without copies on both sides, and selected again later."""

import numpy as np
import pytest

from converter.data.faces import DataError, Faces
from converter.data.splits import HeldOut, digest, held_out_by, reproduce_held_out, training_and_validation


def pictures(numbers: list[int]) -> np.ndarray:
    """A picture each; equal numbers are equal pictures."""
    return np.stack([np.random.default_rng(number).integers(0, 256, (48, 48), np.uint8) for number in numbers])


def faces(numbers: list[int], labels: list[int]) -> Faces:
    count = len(numbers)
    return Faces(pictures(numbers), np.array(labels), np.array(["Training"] * count), np.arange(count))


def split(of: Faces, seed: int) -> tuple[set[bytes], set[bytes], Faces]:
    training, validation, held_out = training_and_validation(of, seed)
    assert held_out
    assert sorted([*training.rows, *validation.rows]) == list(range(len(of)))
    one, other = ({image.tobytes() for image in part.images} for part in (training, validation))
    return one, other, validation


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_copies_of_a_picture_are_on_one_side_whatever_their_labels(seed: int) -> None:
    # 60 pictures, each twice: once as angry, once as sad.
    of = faces([*range(60), *range(60)], [0] * 60 + [4] * 60)
    training, validation, held = split(of, seed)
    assert not training & validation
    assert held.counts().tolist() == [6, 0, 0, 0, 6, 0, 0]


def test_a_tenth_of_each_class_is_held_out_by_the_seed_alone() -> None:
    of = faces(list(range(100)), [0] * 70 + [3] * 30)
    drawn = [split(of, seed)[2].rows.tolist() for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert split(of, 5)[2].counts().tolist() == [7, 0, 0, 3, 0, 0, 0]


def test_a_picture_that_is_there_too_often_stays_in_training() -> None:
    of = faces([0] * 8 + list(range(1, 33)), [2] * 40)  # a tenth are 4
    training, _, held = split(of, 1)
    assert pictures([0])[0].tobytes() in training
    assert held.counts()[2] == 4


def test_where_there_is_one_picture_alone_nothing_can_be_held_out() -> None:
    with pytest.raises(DataError, match="no faces to validate with"):
        training_and_validation(faces([0] * 20, [1] * 20), 1)


def test_what_a_run_held_out_is_found_again() -> None:
    of = faces(list(range(100)), [0] * 70 + [3] * 30)
    training, validation, _ = training_and_validation(of, 7)
    again = reproduce_held_out(of, HeldOut(7, digest(validation)))
    assert [part.rows.tolist() for part in again] == [training.rows.tolist(), validation.rows.tolist()]


@pytest.mark.parametrize("changed", ["a face less", "another seed", "another label", "with PublicTest"])
def test_faces_that_the_run_did_not_have_are_refused(changed: str) -> None:
    of = faces(list(range(100)), [0] * 70 + [3] * 30)
    seed, held = 7, training_and_validation(of, 7)[1]
    told = HeldOut(seed, digest(held))
    match changed:
        case "a face less":
            of = of.chosen(np.arange(1, 100))
        case "another seed":
            told = told._replace(seed=8)
        case "another label":
            of.labels[held.rows[0]] = 5
        case "with PublicTest":
            usages = of.usages.astype("U10")
            usages[held.rows] = "PublicTest"
            of = Faces(of.images, of.labels, usages, of.rows)
    with pytest.raises(DataError, match="holds other faces than the network was trained on"):
        reproduce_held_out(of, told)


@pytest.mark.parametrize(
    "provenance",
    [None, {}, "a story", {"data": None}, {"data": "fer2013"}, {"data": {"validation_is": "PublicTest"}},
     {"data": {"held_out": 7}}, {"data": {"held_out": {"seed": "7", "sha256": "0"}}},
     {"data": {"held_out": {"seed": -1, "sha256": "0"}}}],
)  # fmt: skip
def test_provenance_without_a_held_out_split_gives_none(provenance: object) -> None:
    assert held_out_by(provenance) is None


def test_provenance_with_a_held_out_split_is_read() -> None:
    assert held_out_by({"data": {"held_out": {"seed": 7, "sha256": "ab"}}}) == HeldOut(7, "ab")
