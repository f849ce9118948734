"""Runtime configuration: `config.yaml` with the run-time overrides on top, reload, and the origin of each value."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.config.loader import Document, Mistake, Tree, check_values, load_document, settle
from fer_edge.config.model import Settings, Threshold
from fer_edge.config.overrides import Overrides, OverridesError, OverridesFile
from fer_edge.config.rules import contradictions
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import SettingsError, UserError

logger = logging.getLogger(__name__)

# Keys and sections that change at run time; others need a restart. config.yaml marks them with (reload).
RELOADABLE = ("log_level", "gates", "decide", "publish")
# Stored by the live page and in force from the next start. Not open to MQTT requests, which could unmask a zone.
ZONES_SECTION, ZONES = "privacy", "zones"
DROP_ALL: Mapping[str, None] = dict.fromkeys((*RELOADABLE, ZONES_SECTION))  # the change that removes all overrides
DEFAULT, FILE, OVERRIDE = "default", "file", "override"


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """Return the dotted keys whose values differ, in the order of config.yaml."""
    before = _flat(old)
    return [key for key, value in _flat(new).items() if before[key] != value]


def needs_restart(keys: list[str]) -> list[str]:
    """Return those of ``keys`` that take effect at the next start only."""
    return [key for key in keys if key.partition(".")[0] not in RELOADABLE]


def merged(old: Settings, new: Settings) -> Settings:
    """Return ``old`` with the reloadable part of ``new``."""
    return msgspec.structs.replace(old, **{key: getattr(new, key) for key in RELOADABLE})


def _flat(settings: Settings) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(settings).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            flat[name] = value
    return flat


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Merge two trees; ``above`` has precedence."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlaid(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def amended(overrides: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    """Return the overrides after a change; null removes a value or a whole section."""
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


def check_change(change: Mapping[str, Any], *, zones: bool = False) -> list[Mistake]:
    """Check the keys and values of a change, each by itself; keys that need a restart are mistakes.

    ``zones``: `privacy.zones` is accepted too.
    """
    names = Settings.__struct_fields__
    accepted = (*RELOADABLE, ZONES_SECTION) if zones else RELOADABLE
    found = check_values(
        {key: value for key, value in change.items() if key in accepted or key not in names}, nulls=True
    )
    privacy = change.get(ZONES_SECTION) if zones else None
    refused = [key for key in change if key in names and key not in accepted]
    refused += [f"{ZONES_SECTION}.{key}" for key in privacy if key != ZONES] if isinstance(privacy, Mapping) else []
    what = f"cannot be changed at run time, only {', '.join(RELOADABLE)} can: edit config.yaml"
    return found + [Mistake(0, 0, key, what) for key in refused]


def edited(overrides: Overrides, given: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys of overrides whose value in config.yaml has changed since the override was made."""
    return [
        key
        for key in leaves(overrides.settings)
        if key in overrides.made_against and value_at(given, key) != overrides.made_against[key]
    ]


def leaves(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys of all values in ``tree``."""
    found: list[str] = []
    for key, value in tree.items():
        found += leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [prefix + key]
    return found


def value_at(tree: Any, dotted: str) -> Any:
    """Return the value at a dotted key as JSON keeps it, None where there is none."""
    for key in dotted.split("."):
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return msgspec.json.decode(msgspec.json.encode(tree))


def origins(settings: Settings, given: Mapping[str, Any], overrides: Mapping[str, Any]) -> Tree:
    """Return every reloadable value as `{"value": 0.5, "from": "default"}`, in the tree of the settings.

    All seven expressions are listed, with null for a threshold that is not set.
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


class AppliedChange(msgspec.Struct, frozen=True):
    """Result of a change."""

    keys: list[str]  # dotted, in force now
    need_restart: list[str]  # dotted, in force from the next start


class RuntimeConfig:
    """Settings in force, and the one way to change them: validate, persist, put in force. Owned by the main thread.

    ``path`` is read again by `reload`. Without ``file`` overrides are kept in memory only. Stored overrides that are
    invalid or contradict config.yaml are set aside; an override whose key was edited there is dropped. Both are logged.
    """

    def __init__(self, document: Document, path: Path | None, file: OverridesFile | None) -> None:
        self._given = document.values
        self._path = path
        self._file = file
        self._overrides = Overrides()
        self.settings = self.next = document.settings
        """`settings` is in force; `next` would be in force after a restart."""
        if file is not None:
            self._restore(file)

    @property
    def paused(self) -> bool:
        """The pause state; survives a restart."""
        return self._overrides.paused

    @property
    def overrides(self) -> Tree:
        """The values that override config.yaml."""
        return self._overrides.settings

    @property
    def place(self) -> str:
        """Path of the stored overrides, empty where they are kept in memory only."""
        return "" if self._file is None else str(self._file.path)

    def table(self) -> Tree:
        """Return every reloadable value and its origin."""
        return origins(self.settings, self._given, self._overrides.settings)

    def change(self, change: Mapping[str, Any], *, zones: bool = False) -> AppliedChange:
        """Override the values in ``change``; null removes an override. ``zones``: `privacy.zones` may be among them.

        Raises:
            SettingsError: the change has mistakes, one line each; nothing has changed.
            OverridesError: it cannot be stored; nothing has changed.
        """
        _raise_if_wrong(check_change(change, zones=zones))
        if change.get(ZONES_SECTION) is not None and self._file is None:
            raise SettingsError("privacy.zones: no state directory to store them in: edit config.yaml and restart")
        return self._put_in_force(self._given, amended(self._overrides.settings, change))

    def reload(self) -> AppliedChange:
        """Read config.yaml again; an edit there replaces the override of the same key.

        Raises:
            SettingsError: there is no file, it has mistakes, or it contradicts the overrides; nothing has changed.
            OverridesError: dropped overrides cannot be removed from the disk; nothing has changed.
        """
        if self._path is None:
            raise SettingsError("there is no settings file to reload")
        given = load_document(self._path).values
        dropped = edited(self._overrides, given)
        before = self._overrides.settings
        applied = self._put_in_force(given, _without(before, dropped))
        _log_dropped(dropped, given, before)
        return applied

    def pause(self, *, paused: bool) -> bool:
        """Set the pause state; return whether a restart will restore it."""
        overrides = msgspec.structs.replace(self._overrides, paused=paused)
        try:
            self._persist(overrides)
        except OverridesError as error:
            logger.warning("%s not stored, a restart will undo it: %s", "pause" if paused else "resume", error)
            self._overrides = overrides
            return False
        return self._file is not None

    def _put_in_force(self, given: Tree, values: Tree) -> AppliedChange:
        new = self._validated(given, values)
        against = {key: value_at(given, key) for key in leaves(values)}
        self._persist(msgspec.structs.replace(self._overrides, settings=values, made_against=against))
        self._given = given
        self.next = new
        changed = changed_keys(self.settings, new)
        waiting = needs_restart(changed)
        self.settings = merged(self.settings, new)
        return AppliedChange([key for key in changed if key not in waiting], waiting)

    def _validated(self, given: Tree, values: Tree) -> Settings:
        """Return the settings after a restart, if they and those in force until then are free of contradictions.

        The latter are a mixture: what needs a restart stays.
        """
        new, mistakes = settle(overlaid(given, values))
        if new is None:
            raise SettingsError(_lines(mistakes))
        flaws = contradictions(merged(self.settings, new))
        if flaws:
            waiting = ", ".join(needs_restart(changed_keys(self.settings, new)))
            cure = f"; the new value of {waiting} needs a restart of the daemon first" if waiting else ""
            raise SettingsError("\n".join(f"{key}: {sentence}{cure}" for key, sentence in flaws))
        return new

    def _persist(self, overrides: Overrides) -> None:
        # Compared with the disk, not with memory: an earlier write may have failed, or the file may have been deleted.
        if self._file is not None and overrides != _stored(self._file):
            self._file.save(overrides)
        self._overrides = overrides

    def _restore(self, file: OverridesFile) -> None:
        """Put the stored overrides in force."""
        try:
            stored = file.load()
        except OverridesError as error:
            _set_aside(file, str(error))
            return
        dropped = edited(stored, self._given)
        values = _without(amended({}, stored.settings), dropped)
        self._overrides = msgspec.structs.replace(stored, settings={}, made_against={})
        try:
            _raise_if_wrong(check_change(values, zones=True))
            self.settings = self._validated(self._given, values)
            self._put_in_force(self._given, values)
        except SettingsError as error:
            _set_aside(file, f"{file.path}: {error}")
            self._restore_privacy(stored)
            return
        except OverridesError as error:
            logger.warning("%s", error)
        _log_dropped(dropped, self._given, stored.settings)
        if values:
            logger.info("overrides in force from %s: %s", file.path, ", ".join(leaves(values)))

    def _restore_privacy(self, stored: Overrides) -> None:
        """Keep a pause and valid privacy zones of overrides that were set aside."""
        zones = stored.settings.get(ZONES_SECTION)
        if zones is not None and not check_change({ZONES_SECTION: zones}, zones=True):
            try:
                values = amended({}, {ZONES_SECTION: zones})
                self.settings = self._validated(self._given, values)
                self._put_in_force(self._given, values)
            except UserError as error:
                logger.error("the privacy zones of the overrides are not in force: %s", error)  # noqa: TRY400
        if stored.paused:
            self.pause(paused=True)


def _stored(file: OverridesFile) -> Overrides | None:
    """Return what a restart would read; None where it cannot be read."""
    try:
        return file.load()
    except OverridesError:
        return None


def _without(values: Mapping[str, Any], dotted: list[str]) -> Tree:
    """Return ``values`` without some of their dotted keys."""
    result = dict(values)
    for path in dotted:
        change: Any = None
        for key in reversed(path.split(".")):
            change = {key: change}
        result = amended(result, change)
    return result


def _log_dropped(dropped: list[str], given: Tree, before: Tree) -> None:
    for key in dropped:
        new, old = value_at(given, key), value_at(before, key)
        edit = "removed from config.yaml" if new is None else f"edited in config.yaml to {_short(new)}"
        logger.warning("%s: %s, its override %s is dropped", key, edit, _short(old))


def _short(value: Any) -> str:
    return "[...]" if isinstance(value, list) and value else str(value)


def _raise_if_wrong(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise SettingsError(_lines(mistakes))


def _lines(mistakes: list[Mistake]) -> str:
    return "\n".join(str(mistake) for mistake in mistakes)


def _set_aside(file: OverridesFile, why: str) -> None:
    reason = "; ".join(why.splitlines())
    try:
        logger.warning("overrides are not in force: %s; renamed to %s", reason, file.set_aside())
    except OverridesError as error:
        logger.warning("overrides are not in force: %s; %s", reason, error)
