"""recipe.json, which a training keeps beside its network: writing it, and reading it back."""

import json
from pathlib import Path
from typing import Any

from converter.outputs import replacing
from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_json, read_regular

RECIPE = "recipe.json"
MAX_BYTES = 2**20  # a recipe.json has 2 kB


def write_story(folder: Path, story: dict[str, Any], result: dict[str, Any]) -> None:
    """Write recipe.json: ``story``, and what came of it so far."""
    with replacing(folder / RECIPE) as beside:
        beside.write_text(json.dumps({**story, "result": result}, indent=2) + "\n", encoding="utf-8")


def is_told(folder: Path, result: dict[str, Any]) -> bool:
    """Whether recipe.json tells this very result. It is the last file of an epoch, so the others then do as well."""
    return _read(folder).get("result") == result  # where it was lost, or cut by a power failure, it tells nothing


def training_story(model: Path) -> dict[str, Any] | None:
    """What `fer-convert train` wrote beside ``model`` about its training; None where the model is not from there."""
    story = _read(model.parent)
    return story if story.get("network") == model.stem else None


def recorded_recipe(folder: Path) -> dict[str, Any] | None:
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
    """What recipe.json says; nothing where it is not there, or is nothing that was written here."""
    try:
        return decode_json(read_regular(folder / RECIPE, MAX_BYTES), dict[str, Any])
    except (OSError, DecodeError):
        return {}
