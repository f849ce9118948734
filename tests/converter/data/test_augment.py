"""Augmentation changes the given amounts, within its bounds, and nothing else."""

import numpy as np
import pytest

from converter.data.augment import AMOUNTS, Augment, augmented, mixed
from fer_edge.errors import UserError

NONE = AMOUNTS["none"]


def faces(count: int = 16) -> np.ndarray:
    """Smooth blobs, so that interpolation loses little; no two alike, none symmetric."""
    y, x = np.mgrid[0:48, 0:48]
    blobs = [np.exp(-((x - 14 - i % 5) ** 2 + (y - 18 - i % 7) ** 2) / 90) * (100 + 5 * i) + 40 for i in range(count)]
    return np.stack(blobs).astype(np.uint8)


def targets(count: int = 16) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[np.arange(count) % 7]


def changed(how: Augment, seed: int = 1) -> np.ndarray:
    return augmented(faces(), targets(), how, np.random.default_rng(seed))[0]


def made(**amounts: float) -> Augment:
    nothing = {"flip": 0, "rotate_deg": 0, "shift": 0, "scale": 0, "contrast": 0, "brightness": 0, "erase": 0}
    return Augment(**(nothing | amounts))


def centroid(image: np.ndarray) -> tuple[float, float]:
    light = image.astype(float) - image.min()
    y, x = np.mgrid[0:48, 0:48]
    return float((light * x).sum() / light.sum()), float((light * y).sum() / light.sum())


def test_no_augmentation_leaves_every_pixel() -> None:
    images, truth = augmented(faces(), targets(), NONE, np.random.default_rng(1))
    assert np.array_equal(images, faces())
    assert np.array_equal(truth, targets())


def test_a_flip_is_the_mirror_image_pixel_for_pixel() -> None:
    assert np.array_equal(changed(made(flip=1.0)), faces()[:, :, ::-1])


def test_half_of_the_pictures_are_flipped_by_default() -> None:
    many = np.repeat(faces(1), 400, axis=0)
    images, _ = augmented(many, targets(400), made(flip=0.5), np.random.default_rng(3))
    flipped = sum(np.array_equal(image, many[0][:, ::-1]) for image in images)
    assert flipped + sum(np.array_equal(image, many[0]) for image in images) == 400
    assert 160 <= flipped <= 240  # four standard deviations of a fair coin


def test_a_shift_moves_what_is_seen_no_further_than_allowed() -> None:
    moves = [
        np.subtract(centroid(new), centroid(old)) for new, old in zip(changed(made(shift=0.1)), faces(), strict=True)
    ]
    largest = np.abs(moves).max(axis=0)
    assert (largest <= 4.8 + 0.3).all()  # a tenth of 48, and what interpolation and the border cost
    assert (largest >= 2.0).all()


def test_a_turn_is_about_the_centre() -> None:
    dot = np.zeros((1, 48, 48), np.uint8)
    dot[0, 22:26, 22:26] = 255  # the centre of 48 pixels lies between the 24th and the 25th
    turned, _ = augmented(dot, targets(1), made(rotate_deg=90), np.random.default_rng(5))
    assert centroid(turned[0]) == pytest.approx((23.5, 23.5), abs=0.1)


def test_a_turn_keeps_lengths_and_angles() -> None:
    dots = np.zeros((2, 48, 48), np.uint8)
    dots[0, 22:26, 36:40] = 255  # 14 to the right of the centre
    dots[1, 34:38, 22:26] = 255  # 12 below it
    right, below = (turned_offset(dot, seed=5) for dot in dots)
    assert np.hypot(*right) == pytest.approx(14.0, abs=0.2)
    assert np.hypot(*below) == pytest.approx(12.0, abs=0.2)
    assert np.dot(right, below) / (14 * 12) == pytest.approx(0.0, abs=0.03)
    assert abs(right[1]) > 1, "it was turned at all"


def turned_offset(dot: np.ndarray, seed: int) -> np.ndarray:
    """Position of a dot relative to the centre after a turn of up to 90 degrees; the same turn for the same seed."""
    turned, _ = augmented(dot[np.newaxis], targets(1), made(rotate_deg=90), np.random.default_rng(seed))
    return np.subtract(centroid(turned[0]), 23.5)


def test_brightness_moves_all_pixels_alike_and_clips_them() -> None:
    grey = np.full((64, 48, 48), 128, np.uint8)
    images, _ = augmented(grey, targets(64), made(brightness=0.1), np.random.default_rng(1))
    values = images[:, 0, 0].astype(int)
    assert (images == values[:, None, None]).all()
    assert 102 <= values.min() < 110
    assert 146 < values.max() <= 154
    white, _ = augmented(
        np.full((64, 48, 48), 250, np.uint8), targets(64), made(brightness=0.5), np.random.default_rng(1)
    )
    assert (white.max(axis=(1, 2)) == 255).any()
    assert white.min() >= 122  # wrapped around it would be black


def test_contrast_keeps_the_mean_and_stretches_around_it() -> None:
    images = changed(made(contrast=0.25))
    assert np.allclose(images.mean(axis=(1, 2)), faces().mean(axis=(1, 2)), atol=0.6)
    stretch = images.std(axis=(1, 2)) / faces().std(axis=(1, 2))
    assert 0.74 <= stretch.min() < 0.95
    assert 1.05 < stretch.max() <= 1.26


def test_erasing_covers_one_rectangle_of_one_grey() -> None:
    for image, old in zip(changed(made(erase=1.0)), faces(), strict=True):
        rows, columns = np.nonzero(image != old)
        covered = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert len(np.unique(covered)) <= 2  # a pixel that had that grey before does not show as changed
        assert 0.02 <= covered.size / 48**2 <= 0.2


def test_erasing_spares_the_others() -> None:
    assert np.array_equal(changed(made(erase=0.0)), faces())


def test_a_poor_picture_has_fewer_pixels_or_noise_or_little_light() -> None:
    rng = np.random.default_rng(8)
    steps = np.repeat(np.where(np.arange(48) % 8 < 4, 60, 180)[np.newaxis].astype(np.uint8), 48, axis=0)
    many = np.repeat(steps[np.newaxis], 300, axis=0)
    images, _ = augmented(many, targets(300), made(spoil=1.0), rng)
    rows_differ = (images != images[:, :1]).any(axis=(1, 2))
    darker = ~rows_differ & (images.max(axis=(1, 2)) < 175)
    softer = ~rows_differ & ~darker & (images != steps).any(axis=(1, 2))
    untouched = ~rows_differ & ~darker & ~softer  # of 48 pixels, or of no noise to speak of
    counts = [int(kind.sum()) for kind in (rows_differ, darker, softer)]
    assert all(75 <= count <= 125 for count in counts), counts
    assert untouched.sum() <= 15


def test_a_share_of_the_pictures_stays_good() -> None:
    many = np.repeat(faces(1), 400, axis=0)
    images, _ = augmented(many, targets(400), made(spoil=0.25), np.random.default_rng(3))
    assert 265 <= (images == many).all(axis=(1, 2)).sum() <= 335
    assert np.array_equal(changed(made(spoil=0.0)), faces())


def test_mixup_blends_pictures_and_targets_alike() -> None:
    pixels = np.stack([np.full((2, 2), 100, np.float32), np.full((2, 2), 200, np.float32)])
    truth = np.array([[1, 0], [0, 1]], np.float32)
    images, blended = mixed(pixels, truth, 0.75, np.array([1, 0]))
    assert images[:, 0, 0].tolist() == [125, 175]
    assert blended.tolist() == [[0.75, 0.25], [0.25, 0.75]]


def test_mixed_targets_still_sum_to_one() -> None:
    _, truth = augmented(faces(), targets(), AMOUNTS["strong"], np.random.default_rng(2))
    assert truth.sum(axis=1) == pytest.approx(np.ones(16))
    assert (truth.max(axis=1) < 1).any()


def test_the_same_generator_makes_the_same_pictures_and_another_does_not() -> None:
    strong = AMOUNTS["strong"]
    assert np.array_equal(changed(strong, seed=1), changed(strong, seed=1))
    assert not np.array_equal(changed(strong, seed=1), changed(strong, seed=2))


def test_what_is_given_is_not_edited() -> None:
    images, truth = faces(), targets()
    augmented(images, truth, AMOUNTS["strong"], np.random.default_rng(1))
    assert np.array_equal(images, faces())
    assert np.array_equal(truth, targets())


@pytest.mark.parametrize(
    ("amounts", "word"),
    [
        ({"flip": 1.1}, "flip must be between 0 and 1"),
        ({"spoil": 2}, "spoil must be between 0 and 1"),
        ({"erase": -0.1}, "erase must be between 0 and 1"),
        ({"scale": 1.0}, "scale must be between 0 and 0.9"),
        ({"mixup": -1.0}, "mixup must be 0 or more"),
        ({"mixup": float("nan")}, "mixup must be 0 or more"),
    ],
)
def test_an_amount_outside_its_range_is_refused(amounts: dict[str, float], word: str) -> None:
    with pytest.raises(UserError, match=word):
        Augment(**amounts)
