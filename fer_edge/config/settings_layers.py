"""Defaults below the file below changes at run time: what is in force, and where each value came from. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fer_edge.config.model import Settings, Threshold
from fer_edge.config.reload import RELOADABLE
from fer_edge.config.settings_walk import Mistake, Tree, check_values
from fer_edge.emotions import EMOTIONS

DEFAULT, FILE, OVERRIDE = "default", "file", "override"


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Both trees as one; where both have a value it is ``above``'s."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlaid(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def amended(overrides: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    """The overrides after a change; null takes a value, or a section as a whole, back."""
    result = dict(overrides)
    for key, value in change.items():
        if isinstance(value, Mapping):
            before = result.get(key)
            value = amended(before if isinstance(before, Mapping) else {}, value)  # noqa: PLW2901
        if value is None or value == {}:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def check_change(change: Mapping[str, Any]) -> list[Mistake]:
    """What is wrong with a change, each key and value for itself: also what only a restart can change."""
    names = Settings.__struct_fields__
    found = check_values({key: value for key, value in change.items() if _open(key)}, nulls=True)
    for key in change:
        if key in names and key not in RELOADABLE:
            what = f"cannot be changed while the daemon runs, only {', '.join(RELOADABLE)} can: edit config.yaml"
            found.append(Mistake(0, 0, key, what))
    return found


def origins(settings: Settings, given: Mapping[str, Any], overrides: Mapping[str, Any]) -> Tree:
    """Every value that can be changed at run time, as `{"value": 0.5, "from": "default"}` in its place.

    Each of the seven expressions is there, with null where it has no threshold of its own.
    """
    values = msgspec.to_builtins(settings)
    own = {name: settings.decide.emotions.get(name, Threshold()) for name in EMOTIONS}
    values["decide"]["emotions"] = msgspec.to_builtins(own)
    return {key: _traced(values[key], (given.get(key), overrides.get(key))) for key in RELOADABLE}


def _traced(value: Any, layers: tuple[Any, Any]) -> Tree:
    """``value`` with its origin; ``layers`` are the file's and the overrides' part of the tree at this place."""
    if isinstance(value, Mapping):
        parts = [layer if isinstance(layer, Mapping) else {} for layer in layers]
        return {key: _traced(inner, (parts[0].get(key), parts[1].get(key))) for key, inner in value.items()}
    given, override = layers
    came_from = OVERRIDE if override is not None else FILE if given is not None else DEFAULT
    return {"value": value, "from": came_from}


def _open(key: str) -> bool:
    """Whether a key is to be looked into: what can be changed, and what nobody knows."""
    return key in RELOADABLE or key not in Settings.__struct_fields__
