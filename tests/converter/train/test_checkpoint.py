"""A resumed run continues with every number of the interrupted one, dropout's seeds included."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from converter.train import checkpoint  # noqa: E402  only where Keras is
from converter.train.config import TrainConfig, make_optimizer  # noqa: E402
from converter.train.ema import Average  # noqa: E402
from fer_edge.errors import UserError  # noqa: E402

# NumPy 2 asks TensorFlow's variables for a copy in a way that they do not know yet.
UNKNOWN_TO_TENSORFLOW = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")

pytestmark = [pytest.mark.slow, UNKNOWN_TO_TENSORFLOW]

RECIPE = TrainConfig(epochs=3)
IDENTITY = checkpoint.RunIdentity(RECIPE.as_json(), TrainConfig().as_json(), "digest", "faces")


def network() -> keras.Model:
    """Build a dropout before a BatchNorm, as in `classic`: its statistics depend on the dropped units."""
    layers = keras.layers
    return keras.Sequential([layers.Input((4,)), layers.Dropout(0.5), layers.Dense(3), layers.BatchNormalization()])


class Training:
    """A training of that network, from the seed on."""

    def __init__(self) -> None:
        keras.utils.set_random_seed(7)
        self.model, self.average = network(), Average(network(), 2.0)
        self.model.compile(make_optimizer(RECIPE, 2), "mse")
        self.model.optimizer.build(self.model.trainable_variables)
        self.trained = checkpoint.RunState(self.model, self.model.optimizer, self.average)

    def epoch(self, done: int) -> list[np.ndarray]:
        """One more of 2 steps, the ``done``th; the averaged weights and statistics after it."""
        seen = [np.random.default_rng([done, step]).normal(size=(16, 4)).astype("float32") for step in range(2)]
        for batch in seen:
            self.model.train_on_batch(batch, batch[:, :3])
        self.average.update(self.model.get_weights(), done, seen)
        return self.average.network.get_weights()


def test_statistics_behind_a_dropout_are_the_same_after_a_stop(tmp_path: Path) -> None:
    straight = Training()
    straight.epoch(1)
    checkpoint.save_run(tmp_path, IDENTITY, straight.trained, [])
    whole = [straight.epoch(done) for done in (2, 3)]
    resumed = Training()
    found = checkpoint.read_run(tmp_path, IDENTITY)
    assert found is not None
    checkpoint.restore_run(found, resumed.trained)
    for before, after in zip(whole, [resumed.epoch(done) for done in (2, 3)], strict=True):
        for one, other in zip(before, after, strict=True):
            assert np.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_what_an_older_version_kept_is_refused_in_one_line(tmp_path: Path) -> None:
    checkpoint.save_run(tmp_path, IDENTITY, Training().trained, [])
    with np.load(tmp_path / checkpoint.FILE) as file:
        arrays = dict(file)
    assert b'"format": 2' in arrays["state"].tobytes()
    arrays["state"] = np.frombuffer(arrays["state"].tobytes().replace(b'"format": 2', b'"format": 1'), np.uint8)
    np.savez(tmp_path / checkpoint.FILE, **arrays)
    with pytest.raises(UserError, match="written by another version of fer-convert; delete it to begin again"):
        checkpoint.read_run(tmp_path, IDENTITY)
