"""All that decides what a detector's training gives, apart from the photos: recorded, and checked on resume."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from converter.detector.architecture import DEEPEST_STRIDE
from converter.train.config import Recipe, make_optimizer
from fer_edge.errors import UserError


@dataclass(frozen=True, slots=True)
class DetectorRecipe:
    """How a detector is trained. There is one network, and the scenes' chances are constants where they are made."""

    epochs: int = 100
    """Rounds of `scenes` pictures; the learning rate falls to zero over them."""
    scenes: int = 3200
    """Pictures an epoch, each made anew."""
    batch: int = 32
    """Pictures a step."""
    height: int = 128
    """Pixels of most pictures, a multiple of 32; every sixth step has pictures of twice the sides."""
    width: int = 160
    """The same across."""
    rate: float = 3e-3
    """Highest learning rate of AdamW."""
    warmup_epochs: float = 1.0
    """Epochs over which the rate rises from zero, before it falls along a cosine."""
    decay: float = 0.02
    """Share of the kernels' weights taken away at each step, times the rate."""
    averaged: float = 0.05
    """Horizon of the weight averaging as a fraction of the run, 0 for none."""
    seed: int = 2013
    """Of the first weights and of every scene (`converter.train.config.drawn_from`)."""
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

    def _as_of_networks(self) -> Recipe:
        """The settings that an expression network's training has as well."""
        names = ("epochs", "batch", "rate", "warmup_epochs", "decay", "averaged", "seed")
        return Recipe(optimizer="adamw", **{name: getattr(self, name) for name in names})
