"""recipe.json, which a training keeps beside its network: writing it, and reading it back."""

import json
from pathlib import Path
from typing import Any

from converter.outputs import replacing

RECIPE = "recipe.json"


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


def _read(folder: Path) -> dict[str, Any]:
    """What recipe.json says; nothing where it is not there, or is nothing that was written here."""
    try:
        story = json.loads((folder / RECIPE).read_bytes())
    except (OSError, ValueError):
        return {}
    return story if isinstance(story, dict) else {}
