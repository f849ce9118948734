"""Other settings than those that were in force: from a file's section, or named one by one on the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.config.settings_layers import overlaid
from fer_edge.config.settings_walk import check_values, settle
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import SettingsError

# Beside its own YAMLError PyYAML raises what its constructors do, of `!!bool x`, `!!int ""`, `!!timestamp x`, `[[[[`.
NOT_A_VALUE = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)


def assigned(decide: DecideSettings, assignments: Sequence[str]) -> DecideSettings:
    """``decide`` with what `decide.enter=0.7` or `happy.enter=0.7` and the like say; `decide.` may be left out.

    Raises:
        SettingsError: one is not of that form, names no key, or its value does not fit.
    """
    change: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {assignment}: must be KEY=VALUE, such as decide.enter=0.7 or happy.enter=0.7")
        change = overlaid(change, _nested(_path(key.strip()), _value(assignment, value)))
    mistakes = check_values(change)
    if mistakes:
        raise SettingsError("\n".join(f"--set {mistake}" for mistake in mistakes))
    settings, mistakes = settle(overlaid({"decide": _plain(decide)}, change))
    if settings is None:
        raise SettingsError("\n".join(f"--set {mistake}" for mistake in mistakes))
    return settings.decide


def raised(decide: DecideSettings, emotion: str, enter: float) -> DecideSettings:
    """``decide`` with another enter threshold for one expression; its leave threshold keeps its distance below."""
    before_enter, before_leave = thresholds(decide, emotion)
    own = Threshold(enter=round(enter, 4), leave=round(max(0.0, enter - (before_enter - before_leave)), 4))
    return msgspec.structs.replace(decide, emotions={**decide.emotions, emotion: own})


def at_least(decide: DecideSettings, enter: float) -> DecideSettings:
    """``decide`` with every enter threshold raised to ``enter`` where it is lower."""
    for emotion in EMOTIONS:
        if thresholds(decide, emotion)[0] < enter:
            decide = raised(decide, emotion, enter)
    return decide


def thresholds(decide: DecideSettings, emotion: str) -> tuple[float, float]:
    """The enter and leave thresholds that hold for an expression."""
    own = decide.emotions.get(emotion, Threshold())
    return (
        decide.enter if own.enter is None else own.enter,
        decide.leave if own.leave is None else own.leave,
    )


def _path(key: str) -> list[str]:
    parts = key.split(".")
    if parts[0] in EMOTIONS:
        return ["decide", "emotions", *parts]
    return parts if parts[0] == "decide" else ["decide", *parts]


def _nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    return {path[0]: value if len(path) == 1 else _nested(path[1:], value)}


def _value(assignment: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except NOT_A_VALUE as error:
        raise SettingsError(f"--set {assignment}: its value cannot be read") from error


def _plain(decide: DecideSettings) -> Mapping[str, Any]:
    """As a tree, without the nulls that mean `as all others`."""
    tree: dict[str, Any] = msgspec.to_builtins(decide)
    emotions = tree["emotions"].items()
    tree["emotions"] = {name: {key: one for key, one in own.items() if one is not None} for name, own in emotions}
    return tree
