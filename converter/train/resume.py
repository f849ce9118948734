"""How an interrupted training goes on as if it had not been: what is kept of it, and whether that is the same run."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.train import checkpoint
from converter.train.ema import Average
from fer_edge.errors import UserError

FILE = "resume.npz"


@dataclass(frozen=True, slots=True)
class Story:
    """What must be the same for a run to go on: its recipe, and the SHA-256 of what it learns from."""

    recipe: dict[str, Any]
    plain: dict[str, Any]
    """The recipe by default: what a setting was before it was there to be set."""
    digest: str
    shown: str
    """What it learns from, in one word, for messages."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What changes while a run goes on."""

    network: Any
    optimizer: Any
    average: Average


def kept(folder: Path, story: Story) -> checkpoint.Checkpoint | None:
    """What ``folder`` holds of this very run, if anything; UserError where it is another one."""
    if not (folder / FILE).exists():
        return None
    found = checkpoint.read(folder / FILE)
    before = story.plain | found.state["recipe"]
    changed = sorted(key for key, value in story.recipe.items() if before[key] != value)
    if changed:
        raise UserError(
            f"{folder}: holds a run with another {', '.join(changed)}; "
            "repeat its settings to resume it, or choose another folder"
        )
    if found.state["data"] != story.digest:
        raise UserError(f"{folder}: holds a run on other {story.shown}; choose another folder")
    return found


def keep(folder: Path, story: Story, trained: Trained, rows: Iterable[Any]) -> None:
    """Write down where the run stands; ``rows`` are the dataclasses of its epochs so far."""
    state = {"recipe": story.recipe, "data": story.digest, "rows": [asdict(row) for row in rows]}
    variables, moments = checkpoint.taken(trained.network.variables), checkpoint.taken(trained.optimizer.variables)
    averaged = checkpoint.taken(trained.average.network.variables)
    checkpoint.write(folder / FILE, checkpoint.Checkpoint(variables, moments, averaged, state))


def take_up(found: checkpoint.Checkpoint, trained: Trained) -> list[dict[str, Any]]:
    """Give networks and optimizer back what they had; the epochs so far, as they were written down."""
    checkpoint.put(trained.network.variables, found.variables, "weights")
    checkpoint.put(trained.optimizer.variables, found.optimizer, "optimizer state")
    checkpoint.put(trained.average.network.variables, found.average, "averaged weights")
    rows: list[dict[str, Any]] = found.state["rows"]
    return rows


def digest_of(arrays: Iterable[NDArray[Any] | None]) -> str:
    """SHA-256 of all of them in their order; None is one that is not there."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()
