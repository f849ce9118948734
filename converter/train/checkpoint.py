"""Checkpoint of a training run: every number that is needed to resume it exactly."""

import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.train.ema import Average
from fer_edge.errors import UserError
from fer_edge.files import atomic_output

FORMAT = 2  # 2: the averaged network's dropout seeds, with which its BatchNorm statistics are measured
STATE = "state"
FILE = "resume.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The end of an epoch. Arrays in the order in which Keras lists the variables they come from."""

    variables: list[NDArray[Any]]  # of the network that is trained, its dropout seeds among them
    optimizer: list[NDArray[Any]]  # moments and the count of steps, from which the learning rate follows
    average: list[NDArray[Any]]  # variables of the averaged network
    state: dict[str, Any]  # JSON: epochs done, history, best, recipe


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write beside ``path`` and rename, so that a kill in the middle leaves the older checkpoint whole."""
    arrays: dict[str, Any] = {
        f"{name}/{index:04d}": array
        for name in ("variables", "optimizer", "average")
        for index, array in enumerate(getattr(checkpoint, name))
    }
    state = json.dumps({"format": FORMAT, **checkpoint.state}).encode()
    arrays[STATE] = np.frombuffer(state, np.uint8)
    with atomic_output(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)


def read(path: Path) -> Checkpoint:
    """The checkpoint in ``path``; UserError where it is not one of ours."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(file[STATE].tobytes())
            groups = {
                name: [file[key] for key in sorted(file.files) if key.startswith(f"{name}/")]
                for name in ("variables", "optimizer", "average")
            }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a checkpoint that can be resumed; delete it to begin again") from error
    if state.pop("format", None) != FORMAT:
        raise UserError(f"{path}: written by another version of fer-convert; delete it to begin again")
    return Checkpoint(**groups, state=state)


def values_of(variables: list[Any]) -> list[NDArray[Any]]:
    """The values of Keras variables as arrays."""
    from keras import ops

    return [np.asarray(ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: list[Any], values: list[NDArray[Any]], what: str) -> None:
    """Give Keras variables their values back; UserError where they are not the same variables."""
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise UserError(f"the checkpoint's {what} do not fit this network; begin again in another folder")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Identity of a run, which a resumed run must share: configuration and SHA-256 of the data."""

    config: dict[str, Any]
    plain: dict[str, Any]
    """The default configuration: the value of a setting that an older checkpoint does not have."""
    digest: str
    shown: str
    """The kind of data, in one word, for messages."""


@dataclass(frozen=True, slots=True)
class RunState:
    """Mutable state of a run."""

    network: Any
    optimizer: Any
    average: Average


def read_run(folder: Path, identity: RunIdentity) -> Checkpoint | None:
    """Return the checkpoint of this run in ``folder``, if there is one; UserError where it is of another run."""
    if not (folder / FILE).exists():
        return None
    found = read(folder / FILE)
    before = identity.plain | found.state["recipe"]
    changed = sorted(key for key, value in identity.config.items() if before[key] != value)
    if changed:
        raise UserError(
            f"{folder}: holds a run with another {', '.join(changed)}; "
            "repeat its settings to resume it, or choose another folder"
        )
    if found.state["data"] != identity.digest:
        raise UserError(f"{folder}: holds a run on other {identity.shown}; choose another folder")
    return found


def save_run(folder: Path, identity: RunIdentity, trained: RunState, rows: Iterable[Any]) -> None:
    """Write down where the run stands; ``rows`` are the dataclasses of its epochs so far."""
    state = {"recipe": identity.config, "data": identity.digest, "rows": [asdict(row) for row in rows]}
    variables, moments = values_of(trained.network.variables), values_of(trained.optimizer.variables)
    averaged = values_of(trained.average.network.variables)
    write(folder / FILE, Checkpoint(variables, moments, averaged, state))


def restore_run(found: Checkpoint, trained: RunState) -> list[dict[str, Any]]:
    """Give networks and optimizer back what they had; the epochs so far, as they were written down."""
    assign(trained.network.variables, found.variables, "weights")
    assign(trained.optimizer.variables, found.optimizer, "optimizer state")
    assign(trained.average.network.variables, found.average, "averaged weights")
    rows: list[dict[str, Any]] = found.state["rows"]
    return rows
