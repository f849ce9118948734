"""All that decides what a training gives, apart from the data: recorded beside the network, checked on resume."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from converter.data.augment import Augment
from converter.train.batches import Balance
from fer_edge.errors import UserError

Optimizer = Literal["adamw", "sgd", "adam"]
DEFAULT_RATES: dict[Optimizer, float] = {"adamw": 2e-3, "sgd": 0.1, "adam": 1e-3}
DEFAULT_DECAYS: dict[Optimizer, float] = {"adamw": 0.05, "sgd": 5e-4, "adam": 0.0}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Hyperparameters of an expression network's training."""

    network: str = "nano"
    """A name of `networks.NETWORKS`."""
    epochs: int = 60
    """Times each training face is shown; the learning rate falls to zero over them."""
    batch: int = 128
    """Faces per step."""
    optimizer: Optimizer = "adamw"
    """`adamw`, `sgd` with Nesterov momentum 0.9, or plain `adam`."""
    rate: float | None = None
    """Highest learning rate; None for the optimizer's own default in `DEFAULT_RATES`."""
    warmup_epochs: float = 2.0
    """Epochs over which the rate rises from zero, before it falls along a cosine."""
    decay: float | None = None
    """Share of the kernels' weights taken away at each step, times the rate; None for `DEFAULT_DECAYS`."""
    votes: float = 0.3
    """Share, 0 to 1, of the FER+ votes in the targets, where the data have them."""
    taught: float = 0.5
    """Share, 0 to 1, of the teachers' probabilities in the targets, where there are teachers."""
    teachers: str = ""
    """SHA-256 over the teachers' files, empty without."""
    smoothing: float = 0.0
    """Share, 0 to 1, of every target spread evenly over the classes."""
    balance: Balance = "none"
    """`weights` weighs rare classes up, `sampling` shows them more often."""
    averaged: float = 0.05
    """Horizon of the weight averaging as a fraction of the run, 0 for none."""
    patience: int = 0
    """Epochs without a better validation accuracy after which the run stops early, 0 for never."""
    seed: int = 2013
    """Of the first weights, the order of faces, the augmentation and the dropout (`combined_seed`)."""
    start: str = ""
    """SHA-256 of the weights file that the run began with, empty for fresh weights."""
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        _check_finite(self)
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("votes", "taught", "smoothing", "averaged"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UserError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        for name in ("warmup_epochs", "patience", "seed"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.rate is not None and self.rate <= 0.0:
            raise UserError(f"rate must be above 0, got {self.rate}")
        if self.decay is not None and self.decay < 0.0:
            raise UserError(f"decay must be 0 or more, got {self.decay}")

    def as_json(self) -> dict[str, Any]:
        """Plain values, as they stand in recipe.json and in a checkpoint."""
        return dataclasses.asdict(self)


def combined_seed(seed: int, start: str) -> int:
    """Return the seed of all random numbers of a run, 0 to 2**32 - 1: of its seed and the hash of its initial weights.

    By the seed alone a run that goes on from another would show every face in the same order, turned the same way and
    behind the same dropout as that one did: noise that the network has met is no noise any more.
    """
    return (seed + int(start[:8] or "0", 16)) % 2**32


def make_optimizer(config: TrainConfig, steps: int) -> Any:
    """A Keras optimizer whose rate rises over the warm-up and falls to zero at ``steps`` x epochs."""
    import keras

    rate = _rate(config.rate or DEFAULT_RATES[config.optimizer], config, steps)
    decay = DEFAULT_DECAYS[config.optimizer] if config.decay is None else config.decay
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay or None)
    elif config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay or None)
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    if decay:  # biases and BatchNorm have nothing to gain from being small
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


def _check_finite(config: TrainConfig) -> None:
    """UserError for NaN and infinity: a network of NaN would be kept as the best, since nothing compares as better."""
    for name in ("rate", "decay", "warmup_epochs"):
        value = getattr(config, name)
        if value is not None and not math.isfinite(value):
            raise UserError(f"{name} must be a number, got {value}")


def _rate(highest: float, config: TrainConfig, steps: int) -> Any:
    """Linear warm-up, at most half of the run, then a cosine to zero (Loshchilov and Hutter 2017)."""
    import keras

    total = steps * config.epochs
    warmup = min(round(steps * config.warmup_epochs), total // 2)
    if not warmup:
        return keras.optimizers.schedules.CosineDecay(highest, total)
    return keras.optimizers.schedules.CosineDecay(0.0, total - warmup, warmup_target=highest, warmup_steps=warmup)
