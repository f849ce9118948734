"""Light changes what a picture looks like and not what it is of."""

import numpy as np

from converter.detector.synthesis import augment_light


def test_a_picture_keeps_its_size_and_one_generator_gives_one_picture():
    picture = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    first, second, other = (augment_light(picture, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert (first == second).all()
    assert (first != other).any()


def test_what_is_bright_stays_brighter_than_what_is_dark():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30], picture[:, 30:] = 60, 190
    rng = np.random.default_rng(2)
    for _ in range(100):
        made = augment_light(picture, rng).astype(float)
        assert made[:, 35:].mean() > made[:, :25].mean()


def test_some_pictures_are_grey_and_most_are_not():
    picture = np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8)
    rng = np.random.default_rng(5)
    grey = 0
    for _ in range(200):
        made = augment_light(picture, rng).astype(int)
        grey += bool(np.abs(made[..., 0] - made[..., 2]).mean() < 12)
    assert 20 <= grey <= 90  # GREY is a quarter; noise and compression colour some of them a little
