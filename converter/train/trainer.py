"""Training loop: Keras' own `fit` on any backend, and what is saved at the end of each epoch.

A run is a folder: the best network so far as <name>.keras, <name>.json and <name>.weights.h5, `history.csv`,
`recipe.json`, and `resume.npz`, from which an interrupted run is resumed exactly.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.data.faces import Faces
from converter.data.splits import digest_of
from converter.train import architectures as networks
from converter.train import checkpoint
from converter.train.batches import Epochs, inputs, targets
from converter.train.config import TrainConfig, combined_seed, make_optimizer
from converter.train.distillation import soft_targets
from converter.train.ema import Average
from converter.train.history import Row, best, check_loss, write_history
from converter.train.weights import load_initial_weights, save_network

HISTORY = "history.csv"
STATISTICS_BATCHES = 20  # for BatchNorm of the averaged network; 2,560 faces, 2 % of an epoch's work
PREDICT_BATCH = 256
EpochEnded = Callable[[float, float, float], bool]  # loss, accuracy, seconds; gives whether to stop


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The run's own folder, and the networks that it begins with and learns from."""

    folder: Path
    start: Path | None = None
    """Weights to begin with, .keras, .weights.h5 or .tflite, None for fresh ones."""
    teachers: Sequence[Path] = ()
    """Networks whose answers are part of the targets, .keras, or .tflite with its card."""


class Run:
    """One training run and its folder. Not thread-safe; the caller's thread owns it."""

    def __init__(self, config: TrainConfig, training: Faces, validation: Faces, files: RunFiles) -> None:
        """Build the networks, with the weights to start with where there are any, ask the teachers, and take up what
        the folder holds of an earlier, interrupted run of the same recipe.

        UserError where the folder holds a run of another recipe, or weights do not fit.
        """
        import keras

        digest = digest_of(
            array for faces in (training, validation) for array in (faces.images, faces.labels, faces.votes)
        )
        self._identity = checkpoint.RunIdentity(config.as_json(), TrainConfig().as_json(), digest, "faces")
        kept = checkpoint.read_run(
            files.folder, self._identity
        )  # before Keras is made to work for a run that is refused
        chance = combined_seed(config.seed, config.start)
        keras.utils.set_random_seed(chance)
        self.config = config
        self.folder = files.folder
        self.rows: list[Row] = []
        outputs = soft_targets(files.teachers, training) if files.teachers else None
        self.epochs = Epochs(
            training,
            targets(training, config.votes, config.smoothing, outputs, config.taught),
            min(config.batch, len(training)),
            chance,
            config.augment,
            config.balance,
        )
        self._validation = (inputs(validation.images), validation.labels)
        self._network = networks.build(config.network)
        if files.start:
            load_initial_weights(self._network, files.start, lambda: self.epochs.made(0, 0, self.epochs.order(0))[0])
        self._average = Average(networks.build(config.network), config.averaged * config.epochs)
        self._model = networks.logits_model(self._network)
        self._model.compile(
            optimizer=make_optimizer(config, self.epochs.steps),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        )
        self._model.optimizer.build(self._model.trainable_variables)
        self._state = checkpoint.RunState(self._network, self._model.optimizer, self._average)
        if kept:
            self.rows = [Row(**row) for row in checkpoint.restore_run(kept, self._state)]

    @property
    def network(self) -> Any:
        """The averaged network, as it stands after the latest epoch."""
        return self._average.network

    @property
    def finished(self) -> bool:
        """True after the last epoch, or after `patience` epochs without a better one."""
        top = best(self.rows)
        stale = top is not None and 0 < self.config.patience <= len(self.rows) - top.epoch
        return len(self.rows) >= self.config.epochs or stale

    def train(
        self,
        on_epoch: Callable[["Run"], None] = lambda _: None,
        on_step: Callable[[int, int], None] = lambda *_: None,
        workers: int = 1,
    ) -> None:
        """Go on to the end. After each epoch the folder is up to date and ``on_epoch`` is called with this run;
        after each step ``on_step`` with the epoch and the step, both counted from 1.
        """
        if self.finished:
            return

        def epoch_ended(loss: float, accuracy: float, seconds: float) -> bool:
            self._epoch_ended(loss, accuracy, seconds)
            on_epoch(self)
            return self.finished

        done = len(self.rows)
        self._model.fit(
            self.epochs.stream(done, self.config.epochs, workers),
            steps_per_epoch=self.epochs.steps,
            initial_epoch=done,
            epochs=self.config.epochs,
            callbacks=[watcher(epoch_ended, on_step)],
            shuffle=False,  # the stream is shuffled already
            verbose=0,
        )

    def _epoch_ended(self, loss: float, accuracy: float, seconds: float) -> None:
        """Average, validate, keep. A loss that is no number ends the run before it overwrites what was good."""
        done = len(self.rows) + 1
        check_loss(done, "loss", loss)
        order = self.epochs.order(done - 1)
        steps = range(min(STATISTICS_BATCHES, self.epochs.steps))
        batches = (self.epochs.made(done - 1, step, order)[0] for step in steps)
        started = time.monotonic()
        self._average.update(self._network.get_weights(), done, batches)
        val_loss, val_accuracy = self._validate()
        check_loss(done, "validation loss", val_loss)
        seconds += time.monotonic() - started
        rate = float(self._model.optimizer.learning_rate)
        self.rows.append(Row(done, rate, loss, accuracy, val_loss, val_accuracy, seconds))
        top = best(self.rows)
        if top is self.rows[-1]:
            save_network(self.network, self.folder, self.config.network)
        write_history(self.folder / HISTORY, self.rows)
        checkpoint.save_run(self.folder, self._identity, self._state, self.rows)

    def _validate(self) -> tuple[float, float]:
        """Cross-entropy and accuracy of the averaged network against the labels alone."""
        faces, labels = self._validation
        probabilities = self.network.predict(faces, batch_size=PREDICT_BATCH, verbose=0)
        likelihood = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
        return float(-np.log(likelihood).mean()), float((probabilities.argmax(1) == labels).mean())


def watcher(epoch_ended: EpochEnded, on_step: Callable[[int, int], None]) -> Any:
    """The callback; made here because Keras, and with it its Callback, is imported late."""
    import keras

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        async_safe = True  # it reads no logs within an epoch, so a GPU need not wait for it at every step

        # ruff: noqa: ARG002 (Keras' signatures)
        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self._epoch = epoch + 1
            self._started = time.monotonic()

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            on_step(self._epoch, batch + 1)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            spent = time.monotonic() - self._started
            self.model.stop_training = epoch_ended(float(logs["loss"]), float(logs["accuracy"]), spent)

    return Watcher()
