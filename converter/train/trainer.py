"""Training loop: Keras' own `fit` on any backend, and what is saved at the end of each epoch.

A run is a folder: the best network so far as <name>.keras, <name>.json and <name>.weights.h5, `history.csv`,
`recipe.json`, and `resume.npz`, from which an interrupted run is resumed exactly.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The run's own folder, and the networks that it begins with and learns from."""

    folder: Path
    start: Path | None = None
    """Weights to begin with, .keras, .weights.h5 or .tflite, None for fresh ones."""
    teachers: Sequence[Path] = ()
    """Networks whose answers are part of the targets, .keras, or .tflite with its card."""


class Config(Protocol):
    """The settings that every kind of training has."""

    @property
    def epochs(self) -> int: ...
    @property
    def averaged(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def start(self) -> str: ...


class Trainer:
    """One training run and its folder, for any kind of network. Not thread-safe; the caller's thread owns it.

    At the end of each epoch the weights are averaged, the averaged network is validated and saved, and `history.csv`
    and the checkpoint are written.
    """

    rows: list[Any]
    """A dataclass per epoch, with `epoch`, `rate`, `loss`, `seconds` and the metrics of `_validate`."""

    def __init__(self, config: Config, folder: Path, identity: checkpoint.RunIdentity) -> None:
        """Read the checkpoint in ``folder`` and seed Keras. UserError where the folder holds another run."""
        import keras

        self._config, self.folder, self._identity = config, folder, identity
        self._found = checkpoint.read_run(folder, identity)  # before any work for a run that is refused
        self._seed = combined_seed(config.seed, config.start)
        keras.utils.set_random_seed(self._seed)
        self.rows = []

    def _begin(self, network: Any, averaged: Any, optimizer: Any, row: Callable[..., Any]) -> None:
        """Set the networks and the type of the rows, and restore what the checkpoint holds of them."""
        self._network, self._optimizer, self._row = network, optimizer, row
        self._average = Average(averaged, self._config.averaged * self._config.epochs)
        self._state = checkpoint.RunState(network, optimizer, self._average)
        if self._found:
            self.rows = [row(**fields) for fields in checkpoint.restore_run(self._found, self._state)]

    @property
    def network(self) -> Any:
        """The averaged network, as of the latest epoch."""
        return self._average.network

    def _end_epoch(self, loss: float, started: float, **metrics: float) -> None:
        """Average, validate, save. A loss that is not finite ends the run before it overwrites a good network."""
        done = len(self.rows) + 1
        check_loss(done, "loss", loss)
        self._average.update(self._network.get_weights(), done, self._statistics_batches(done - 1))
        metrics |= self._validate()
        check_loss(done, "validation loss", metrics["val_loss"])
        rate = float(self._optimizer.learning_rate)
        seconds = time.monotonic() - started
        self.rows.append(self._row(epoch=done, rate=rate, loss=loss, seconds=seconds, **metrics))
        if self._to_be_saved():
            save_network(self.network, self.folder, self.network.name)
        write_history(self.folder / HISTORY, self.rows)
        checkpoint.save_run(self.folder, self._identity, self._state, self.rows)

    def _statistics_batches(self, epoch: int) -> Iterator[Any]:
        """Give the inputs that BatchNorm statistics of the averaged network are measured on."""
        raise NotImplementedError

    def _validate(self) -> dict[str, float]:
        """Return `val_loss` and other metrics of the averaged network."""
        raise NotImplementedError

    def _to_be_saved(self) -> bool:
        """Return whether the latest network replaces the one in the folder."""
        return True


class Run(Trainer):
    """Training of an expression network."""

    rows: list[Row]

    def __init__(self, config: TrainConfig, training: Faces, validation: Faces, files: RunFiles) -> None:
        """Build the networks, run the teachers, load initial weights, and resume what the folder holds of the same run.

        UserError where the folder holds another run, or weights do not fit.
        """
        import keras

        digest = digest_of(
            array for faces in (training, validation) for array in (faces.images, faces.labels, faces.votes)
        )
        identity = checkpoint.RunIdentity(config.as_json(), TrainConfig().as_json(), digest, "faces")
        super().__init__(config, files.folder, identity)
        self.config = config
        outputs = soft_targets(files.teachers, training) if files.teachers else None
        self.epochs = Epochs(
            training,
            targets(training, config.votes, config.smoothing, outputs, config.taught),
            min(config.batch, len(training)),
            self._seed,
            config.augment,
            config.balance,
        )
        self._validation = (inputs(validation.images), validation.labels)
        network = networks.build(config.network)
        if files.start:
            load_initial_weights(network, files.start, lambda: self.epochs.made(0, 0, self.epochs.order(0))[0])
        averaged = networks.build(config.network)
        self._model = networks.logits_model(network)
        self._model.compile(
            optimizer=make_optimizer(config, self.epochs.steps),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        )
        self._model.optimizer.build(self._model.trainable_variables)
        self._begin(network, averaged, self._model.optimizer, Row)

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
        """Train to the end. After each epoch the folder is up to date and ``on_epoch`` is called with this run; after
        each step ``on_step`` is called with the epoch and the step, both counted from 1.
        """
        import keras

        if self.finished:
            return
        run = self

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
                run._end_epoch(float(logs["loss"]), self._started, accuracy=float(logs["accuracy"]))
                on_epoch(run)
                self.model.stop_training = run.finished

        done = len(self.rows)
        self._model.fit(
            self.epochs.stream(done, self.config.epochs, workers),
            steps_per_epoch=self.epochs.steps,
            initial_epoch=done,
            epochs=self.config.epochs,
            callbacks=[Watcher()],
            shuffle=False,  # the stream is shuffled already
            verbose=0,
        )

    def _statistics_batches(self, epoch: int) -> Iterator[Any]:
        order = self.epochs.order(epoch)
        return (self.epochs.made(epoch, step, order)[0] for step in range(min(STATISTICS_BATCHES, self.epochs.steps)))

    def _validate(self) -> dict[str, float]:
        """Cross-entropy and accuracy against the labels alone."""
        faces, labels = self._validation
        probabilities = self.network.predict(faces, batch_size=PREDICT_BATCH, verbose=0)
        likelihood = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
        accuracy = float((probabilities.argmax(1) == labels).mean())
        return {"val_loss": float(-np.log(likelihood).mean()), "val_accuracy": accuracy}

    def _to_be_saved(self) -> bool:
        return best(self.rows) is self.rows[-1]
