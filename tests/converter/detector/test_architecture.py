"""The network takes pictures of every size, and enlarges as TFLite does."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from converter.detector import architecture as network  # noqa: E402  only where Keras is


@pytest.fixture(scope="module")
def fresh():
    keras.utils.set_random_seed(3)
    return network.build()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (128, 160)])
def test_a_picture_of_any_multiple_of_32_gives_five_numbers_from_0_to_6_a_cell(fresh, height: int, width: int):
    picture = np.random.default_rng(1).uniform(-1, 1, (2, height, width, 3)).astype(np.float32)
    said = fresh.predict_on_batch(picture)
    assert said.shape == (2, height // 8, width // 8, 5)
    assert said.min() >= 0
    assert said.max() <= 6


def test_a_fresh_network_hardly_believes_in_faces(fresh):
    said = fresh.predict_on_batch(np.zeros((1, 64, 64, 3), np.float32))
    # 0.01 is a logit of -4.6, which is 1.85; one and a half cells to each side are 3.41.
    assert said[..., 0] == pytest.approx(1.85, abs=0.05)
    assert said[..., 1:] == pytest.approx(3.41, abs=0.05)


def test_it_is_small_enough_for_300_kb(fresh):
    assert fresh.count_params() < 265_000


def test_enlarging_lays_out_channels_row_by_row():
    x = np.arange(2 * 3 * 8, dtype=np.float32).reshape(1, 2, 3, 8)
    large = keras.ops.convert_to_numpy(network.depth_to_space(keras.ops.convert_to_tensor(x)))
    assert large.shape == (1, 4, 6, 2)
    # The cell in row 1, column 2 has channels 40 to 47: two for each quarter, upper left first.
    assert large[0, 2:, 4:].tolist() == [[[40, 41], [42, 43]], [[44, 45], [46, 47]]]
