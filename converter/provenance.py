"""recipe.json: the record of a training run, beside its network and later in the network's card."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from converter.data.faces import Faces
from converter.data.splits import HELD_OUT_NAME, HeldOut
from converter.train.history import best
from converter.train.trainer import Run
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.files import atomic_output
from fer_edge.untrusted import DecodeError, decode_json, read_regular

RECIPE = "recipe.json"
MAX_BYTES = 2**20  # a recipe.json has 2 kB


def write_provenance(folder: Path, provenance: dict[str, Any], result: dict[str, Any]) -> None:
    """Write recipe.json: ``provenance``, and what came of it so far."""
    with atomic_output(folder / RECIPE) as beside:
        beside.write_text(json.dumps({**provenance, "result": result}, indent=2) + "\n", encoding="utf-8")


def is_recorded(folder: Path, result: dict[str, Any]) -> bool:
    """Return whether recipe.json has this very result; it is the last file of an epoch, so the others then exist."""
    return _read(folder).get("result") == result  # empty where it was lost, or cut by a power failure


def training_provenance(model: Path) -> dict[str, Any] | None:
    """Return what `fer-convert train` recorded beside ``model``; None where the model is not from there."""
    provenance = _read(model.parent)
    return provenance if provenance.get("network") == model.stem else None


def read_provenance(folder: Path) -> dict[str, Any] | None:
    """Return what recipe.json in ``folder`` holds; None where there is none, UserError where it cannot be read."""
    path = folder / RECIPE
    if not path.exists():
        return None
    try:
        return decode_json(read_regular(path, MAX_BYTES), dict[str, Any])
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DecodeError as error:
        raise UserError(f"{path}: is no JSON object ({error}); delete it or train again") from error


def _read(folder: Path) -> dict[str, Any]:
    """Return the content of recipe.json; empty where it is missing or unreadable."""
    try:
        return decode_json(read_regular(folder / RECIPE, MAX_BYTES), dict[str, Any])
    except (OSError, DecodeError):
        return {}


def data_provenance(path: Path, training: Faces, validation: Faces, held_out: HeldOut | None) -> dict[str, Any]:
    """Counts of the data for recipe.json; ``held_out`` where there was no PublicTest."""

    def of_classes(faces: Faces) -> dict[str, int]:
        return dict(zip(EMOTIONS, faces.counts().tolist(), strict=True))

    return {
        "name": path.name,
        "training": {"faces": len(training), **of_classes(training)},
        "validation": {"faces": len(validation), **of_classes(validation)},
        "validation_is": HELD_OUT_NAME if held_out else "PublicTest",
        **({"held_out": held_out._asdict()} if held_out else {}),
        "ferplus_votes": training.votes is not None,
    }


def result_of(run: Run) -> dict[str, Any]:
    """Progress and best epoch of a run that has one epoch or more."""
    top = best(run.rows)
    assert top is not None
    return {"epochs_done": len(run.rows), "finished": run.finished, "best": dataclasses.asdict(top)}


def commit() -> str | None:
    """The commit this code is of, with "+" where it was changed since; None where it is no checkout."""
    here = Path(__file__).parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603  fixed words
                ["git", "-C", os.fspath(here), *arguments],  # noqa: S607  git is where the user has it
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "--error-unmatch", os.fspath(Path(__file__).relative_to(here))) is None:
        return None
    commit = git("rev-parse", "--short=12", "HEAD")
    return commit and commit + ("+" if git("status", "--porcelain", "--", ".") else "")
