"""The recipe's numbers: the rate over a run, the averaging of weights, and what is refused."""

import itertools

import numpy as np
import pytest

from converter.train.config import TrainConfig, combined_seed, make_optimizer
from converter.train.ema import Average
from fer_edge.errors import UserError

keras = pytest.importorskip("keras")


def rates(config: TrainConfig, steps: int) -> list[float]:
    schedule = make_optimizer(config, steps)._learning_rate
    return [float(schedule(step)) for step in range(steps * config.epochs + 1)]


def test_the_rate_rises_evenly_and_falls_along_a_cosine_to_zero() -> None:
    over = rates(TrainConfig(epochs=10, warmup_epochs=2, rate=0.8), steps=10)
    assert over[0] == 0
    assert over[10] == pytest.approx(0.4)
    assert over[20] == pytest.approx(0.8)
    assert over[60] == pytest.approx(0.4)  # the middle of the cosine
    assert over[100] == pytest.approx(0.0, abs=1e-6)
    assert all(later <= earlier for earlier, later in itertools.pairwise(over[20:]))


def test_without_a_warmup_the_rate_begins_at_its_highest() -> None:
    assert rates(TrainConfig(epochs=2, warmup_epochs=0, rate=0.8), steps=4)[0] == pytest.approx(0.8)


def test_a_warmup_longer_than_half_of_the_run_is_cut_to_that() -> None:
    over = rates(TrainConfig(epochs=2, warmup_epochs=5, rate=0.8), steps=4)
    assert over[4] == pytest.approx(0.8)
    assert over[8] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd", "adam"])
def test_an_optimizer_learns(name: str) -> None:
    config = TrainConfig(optimizer=name, epochs=1, warmup_epochs=0)  # type: ignore[arg-type]
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(make_optimizer(config, 1000), "mse")
    x = np.random.default_rng(1).normal(size=(64, 2)).astype("float32")
    y = x @ np.array([[1.0], [-1.0]], "float32")
    losses = [model.train_on_batch(x, y) for _ in range(100)]
    assert losses[-1] < losses[0]


def test_decay_pulls_kernels_to_zero_and_leaves_biases_alone() -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, bias_initializer="ones")])
    model.compile(
        make_optimizer(TrainConfig(optimizer="sgd", decay=0.5, rate=1.0, warmup_epochs=0, epochs=1), 1000), "mse"
    )
    model.set_weights([np.full((2, 1), 2.0), np.ones(1)])
    model.train_on_batch(np.zeros((4, 2), "float32"), np.ones((4, 1), "float32"))  # no gradient at all
    kernel, bias = model.get_weights()
    assert kernel.ravel() == pytest.approx([1.0, 1.0])  # 2 - 2 x 0.5 x 1
    assert bias == pytest.approx([1.0])


class Weights:
    """Stands for a network without BatchNorm: it holds weights."""

    layers: tuple[object, ...] = ()

    def __init__(self) -> None:
        self.weights = [np.array([100.0])]

    def get_weights(self) -> list[np.ndarray]:
        return self.weights

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weights = weights

    def __call__(self, batch: object, *, training: bool) -> None:
        raise AssertionError("no batch was given")


def averaged(values: list[float], horizon_epochs: float) -> float:
    average = Average(Weights(), horizon_epochs)
    for done, value in enumerate(values, 1):
        average.update([np.array([value])], done, ())
    return float(average.network.get_weights()[0][0])


def test_without_a_horizon_the_latest_weights_are_kept() -> None:
    assert averaged([1, 2, 6], 0) == 6


def test_early_on_the_average_is_the_mean_of_all_epochs() -> None:
    assert averaged([1, 2, 6], 10) == pytest.approx(3)  # and not of the random start, 100


def test_later_an_epoch_counts_for_its_part_of_the_horizon() -> None:
    # Horizon 2: half of what was, half of what is. (1 + 3) / 2 = 2, (2 + 6) / 2 = 4, (4 + 0) / 2 = 2.
    assert averaged([1, 3, 6, 0], 2) == pytest.approx(2)


def test_statistics_of_the_average_are_those_of_the_batches_it_was_shown() -> None:
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.BatchNormalization()])
    average = Average(network, 4)
    batches = [np.array([[0.0], [2.0]], "float32"), np.array([[4.0], [10.0]], "float32")]
    average.update([np.ones(1), np.zeros(1), np.full(1, 77.0), np.full(1, 88.0)], 1, batches)
    _, _, mean, variance = network.get_weights()
    assert mean == pytest.approx([4.0])  # of 1 and 7
    assert variance == pytest.approx([5.0])  # of 1 and 9
    assert network.layers[-1].momentum == 0.99, "what is saved still has its own momentum"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"batch": 0}, "batch must be 1 or more"),
        ({"votes": 1.5}, "votes must be between 0 and 1"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"decay": -1.0}, "decay must be 0 or more"),
        ({"patience": -1}, "patience must be 0 or more"),
        ({"rate": float("nan")}, "rate must be a number, got nan"),
        ({"rate": float("inf")}, "rate must be a number, got inf"),
        ({"decay": float("nan")}, "decay must be a number, got nan"),
        ({"warmup_epochs": float("nan")}, "warmup_epochs must be a number, got nan"),
        ({"averaged": float("nan")}, "averaged must be between 0 and 1, got nan"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings: dict[str, float], word: str) -> None:
    with pytest.raises(UserError, match=word):
        TrainConfig(**settings)  # type: ignore[arg-type]


def test_a_run_with_fresh_weights_draws_from_its_seed() -> None:
    assert combined_seed(2013, "") == 2013


def test_a_run_that_goes_on_from_another_draws_anew_and_the_same_again() -> None:
    one, other = (combined_seed(2013, digest * 64) for digest in "4f")
    assert len({one, other, 2013}) == 3
    assert one == combined_seed(2013, "4" * 64) != combined_seed(2014, "4" * 64)
    assert 0 <= other < 2**32
