"""Training of a face detector on any Keras backend.

A run is a folder as `converter.train.trainer` makes one: the averaged network as face.keras, face.json and
face.weights.h5, `history.csv`, and `resume.npz`, from which an interrupted run is resumed exactly.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.data.splits import digest_of
from converter.detector import architecture
from converter.detector.architecture import DEEPEST_STRIDE, detection_loss
from converter.detector.dataset import Photo
from converter.detector.synthesis import Batch, Gallery, Scenes
from converter.train import checkpoint
from converter.train.config import TrainConfig, make_optimizer
from converter.train.trainer import Trainer
from converter.train.weights import load_initial_weights
from fer_edge.errors import UserError

STATISTICS_BATCHES = 10  # for BatchNorm of the averaged network
VALIDATION_STEPS = 6  # batches of scenes from photos that are not trained on, the same after every epoch
VALIDATION_EPOCH = 2**32 - 1  # whose scenes they are; no run comes to it
HELD_OUT_EVERY = 16  # each so many photos are held out


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """Hyperparameters of a detector's training. The probabilities of the scenes are constants in `synthesis`."""

    epochs: int = 100
    """Rounds of `scenes` pictures; the learning rate falls to zero over them."""
    scenes: int = 3200
    """Pictures per epoch, each composed anew."""
    batch: int = 32
    """Pictures per step."""
    height: int = 128
    """Pixels of most pictures, a multiple of 32; every sixth step has pictures of twice the sides."""
    width: int = 160
    """The same for the width."""
    rate: float = 3e-3
    """Highest learning rate of AdamW."""
    warmup_epochs: float = 1.0
    """Epochs over which the rate rises from zero, before it falls along a cosine."""
    decay: float = 0.02
    """Share of the kernels' weights taken away at each step, times the rate."""
    averaged: float = 0.05
    """Horizon of the weight averaging as a fraction of the run, 0 for none."""
    seed: int = 2013
    """Of the first weights and of every scene (`converter.train.config.combined_seed`)."""
    start: str = ""
    """SHA-256 of the weights file that the run began with, empty for fresh weights."""

    def __post_init__(self) -> None:
        for name in ("epochs", "scenes", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("height", "width"):
            if getattr(self, name) < DEEPEST_STRIDE or getattr(self, name) % DEEPEST_STRIDE:
                raise UserError(f"{name} must be a multiple of {DEEPEST_STRIDE}, got {getattr(self, name)}")
        self._as_of_networks()  # which checks the rest

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return max(1, self.scenes // self.batch)

    def optimizer(self) -> Any:
        """AdamW with this rate, rising and falling."""
        return make_optimizer(self._as_of_networks(), self.steps)

    def as_json(self) -> dict[str, Any]:
        """Plain values, as they stand in recipe.json and in a checkpoint."""
        return dataclasses.asdict(self)

    def _as_of_networks(self) -> TrainConfig:
        """The settings that an expression network's training has as well."""
        names = ("epochs", "batch", "rate", "warmup_epochs", "decay", "averaged", "seed")
        return TrainConfig(optimizer="adamw", **{name: getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch. Losses are of scenes made anew, and of the same held-out ones."""

    epoch: int  # counted from 1
    rate: float  # learning rate at its end
    loss: float
    val_loss: float  # of the averaged network
    seconds: float  # wall clock, validation included


class DetectorRun(Trainer):
    """Training of a face detector."""

    rows: list[Row]

    def __init__(
        self,
        config: DetectorConfig,
        photos: list[Photo],
        face_crops: list[Photo],
        folder: Path,
        start: Path | None = None,
    ) -> None:
        """Build the networks, with the weights of ``start`` where it is given, and resume what ``folder`` holds of the
        same run.

        UserError where the folder holds another run, or weights do not fit.
        """
        digest = digest_of(_arrays(photos, face_crops))
        identity = checkpoint.RunIdentity(config.as_json(), DetectorConfig().as_json(), digest, "photos")
        super().__init__(config, folder, identity)
        self.config = config
        size = (config.height, config.width, config.batch, config.steps)
        held_out = photos[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
        shown = [photo for number, photo in enumerate(photos, 1) if number % HELD_OUT_EVERY]
        self.scenes = Scenes(Gallery(shown), face_crops, *size, self._seed)
        self._held_out = Scenes(Gallery(held_out or photos), face_crops, *size, config.seed)
        self._validation: list[Batch] = []
        network = architecture.build()
        if start:
            load_initial_weights(network, start, lambda: self.scenes.made(0, 0)[0])
        averaged = architecture.build()
        network.compile(optimizer=config.optimizer(), loss=detection_loss)
        network.optimizer.build(network.trainable_variables)
        self._begin(network, averaged, network.optimizer, Row)

    def train(
        self,
        on_epoch: Callable[["DetectorRun"], None] = lambda _: None,
        on_step: Callable[[int, int], None] = lambda *_: None,
        workers: int = 1,
    ) -> None:
        """Train to the end, as `converter.train.trainer.Run.train`."""
        done, steps = len(self.rows), self.config.steps
        losses: list[float] = []
        started = time.monotonic()
        for number, (pictures, wanted) in enumerate(self.scenes.stream(done, self.config.epochs, workers)):
            # No `fit`: its adapters require all batches of one size.
            losses.append(float(self._network.train_on_batch(pictures, wanted)))
            on_step(done + number // steps + 1, number % steps + 1)
            if len(losses) == steps:
                self._end_epoch(float(np.mean(losses)), started)
                on_epoch(self)
                losses, started = [], time.monotonic()

    def _statistics_batches(self, epoch: int) -> Iterator[Any]:
        return (self.scenes.made(epoch, step)[0] for step in range(min(STATISTICS_BATCHES, self.config.steps)))

    def _validate(self) -> dict[str, float]:
        """Loss on scenes of photos that are not trained on.

        The last network is kept, not the best: the rate ends at zero, and the best of many would be so by chance.
        """
        from keras import ops

        if not self._validation:
            self._validation = [self._held_out.made(VALIDATION_EPOCH, step) for step in range(VALIDATION_STEPS)]
        losses = [
            detection_loss(
                ops.convert_to_tensor(wanted), ops.convert_to_tensor(self.network.predict_on_batch(pictures))
            )
            for pictures, wanted in self._validation
        ]
        return {"val_loss": float(np.mean([ops.convert_to_numpy(loss) for loss in losses]))}


def _arrays(*parts: list[Photo]) -> Iterator[NDArray[Any]]:
    """Give the arrays that identify a set of photos: pixels and boxes."""
    for photos in parts:
        yield np.array(len(photos))
        for photo in photos:
            yield from (photo.pixels, photo.faces, photo.ignored)
