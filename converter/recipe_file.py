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
    try:
        story = json.loads((folder / RECIPE).read_bytes())
    except (OSError, ValueError):  # lost, or cut by a power failure
        return False
    return isinstance(story, dict) and story.get("result") == result


def training_story(model: Path) -> dict[str, object] | None:
    """What `fer-convert train` wrote beside ``model`` about its training; None where the model is not from there."""
    try:
        story = json.loads(model.with_name(RECIPE).read_bytes())
    except (OSError, ValueError):  # nobody's file but the trainer's: what cannot be read is not its
        return None
    return story if isinstance(story, dict) and story.get("network") == model.stem else None
