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
from fer_edge.config.writer import Draft
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import SettingsError

logger = logging.getLogger(__name__)

# Keys and sections that change at run time; others need a restart. config.yaml marks them with (reload).
RELOADABLE = ("log_level", "gates", "decide", "publish")
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


def check_change(change: Mapping[str, Any]) -> list[Mistake]:
    """Check the keys and values of a change, each by itself; keys that need a restart are mistakes."""
    names = Settings.__struct_fields__
    found = check_values({key: value for key, value in change.items() if _open(key)}, nulls=True)
    for key in change:
        if key in names and key not in RELOADABLE:
            what = f"cannot be changed at run time, only {', '.join(RELOADABLE)} can: edit config.yaml"
            found.append(Mistake(0, 0, key, what))
    return found


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


def _open(key: str) -> bool:
    """Return whether a key is checked in detail: reloadable, or unknown."""
    return key in RELOADABLE or key not in Settings.__struct_fields__


class AppliedChange(msgspec.Struct, frozen=True):
    """Result of a change."""

    keys: list[str]  # dotted, in force now
    need_restart: list[str]  # dotted, in force from the next start


class RuntimeConfig:
    """Not thread-safe; the main thread owns it. ``path`` is read again by `reload`; nothing is kept without ``file``.

    Overrides that cannot be used (another version's keys, or no agreement with config.yaml) are set aside and said.
    """

    def __init__(self, document: Document, path: Path | None, file: OverridesFile | None) -> None:
        self._given = document.values
        self._path = path
        self._file = file
        self._overlay = Overrides()
        self.settings = document.settings
        if file is not None:
            self._adopt(file)

    @property
    def paused(self) -> bool:
        """The pause state; survives a restart."""
        return self._overlay.paused

    def table(self) -> Tree:
        """Every value that can be changed while the daemon runs, and where it came from."""
        return origins(self.settings, self._given, self._overlay.settings)

    def change(self, change: Mapping[str, Any], draft: Draft | None = None) -> AppliedChange:
        """Overrides what ``change`` names, and takes back what is null in it; ``draft`` replaces config.yaml with it.

        What will be in force is validated, then persisted, then in force.

        Raises:
            SettingsError: it has mistakes, one line each; nothing has changed.
            Unwritable: config.yaml cannot be replaced; nothing has changed.
            OverlayError: the change cannot be stored; what is in force stays, config.yaml is the draft's.
        """
        _raise_if_wrong(change)
        overrides = amended(self._overlay.settings, change)
        given = self._given if draft is None else draft.document.values
        new = self._settled(given, overrides)
        if draft is not None:
            draft.commit()
        self._keep(msgspec.structs.replace(self._overlay, settings=overrides))
        self._given = given
        return self._take(new)

    def reload(self) -> AppliedChange:
        """Reads the file again, below what was changed at run time.

        Raises:
            SettingsError: there is no file, it has mistakes, or it does not agree with the overrides; nothing changed.
        """
        if self._path is None:
            raise SettingsError("there is no settings file to reload")
        document = load_document(self._path)
        new = self._settled(document.values, self._overlay.settings)
        self._given = document.values
        return self._take(new)

    def pause(self, *, paused: bool) -> bool:
        """Remembers whether to look; False where that cannot be stored, so that a restart forgets it."""
        overlay = msgspec.structs.replace(self._overlay, paused=paused)
        try:
            self._keep(overlay)
        except OverridesError as error:
            logger.warning("a restart will not remember the %s: %s", "pause" if paused else "end of the pause", error)
            self._overlay = overlay
            return False
        return self._file is not None

    def _settled(self, given: Tree, overrides: Tree) -> Settings:
        """Return what a restart would put in force, once that and what is in force until then agree with themselves.

        The latter is a mixture: what needs a restart stays as it is.
        """
        new, mistakes = settle(overlaid(given, overrides))
        if new is None:
            raise SettingsError(_lines(mistakes))
        flaws = contradictions(merged(self.settings, new))
        if flaws:
            waiting = ", ".join(needs_restart(changed_keys(self.settings, new)))
            cure = f"; that needs {waiting} as config.yaml has it now: restart the daemon" if waiting else ""
            raise SettingsError("\n".join(f"{key}: {sentence}{cure}" for key, sentence in flaws))
        return new

    def _take(self, new: Settings) -> AppliedChange:
        changed = changed_keys(self.settings, new)
        waiting = needs_restart(changed)
        self.settings = merged(self.settings, new)
        return AppliedChange([key for key in changed if key not in waiting], waiting)

    def _keep(self, overlay: Overrides) -> None:
        # Not what was last asked for counts: that may never have reached the disk, or have left it since.
        if self._file is not None and overlay != _held(self._file):
            self._file.save(overlay)
        self._overlay = overlay

    def _adopt(self, file: OverridesFile) -> None:
        """Takes over what an earlier run left."""
        try:
            overlay = file.load()
        except OverridesError as error:
            _set_aside(file, str(error))
            return
        try:
            _raise_if_wrong(overlay.settings)
            self.settings = self._settled(self._given, overlay.settings)
        except SettingsError as error:
            _set_aside(file, f"{file.path}: {error}")
            if overlay.paused:  # whoever did not want to be looked at is not looked at
                self.pause(paused=True)
            return
        self._overlay = overlay
        if overlay.settings:
            logger.info("changed at run time, by %s: %s", file.path, ", ".join(_leaves(overlay.settings)))


def _held(file: OverridesFile) -> Overrides | None:
    """Return what a restart would read; None where it cannot be read."""
    try:
        return file.load()
    except OverridesError:
        return None


def _raise_if_wrong(change: Mapping[str, Any]) -> None:
    mistakes = check_change(change)
    if mistakes:
        raise SettingsError(_lines(mistakes))


def _lines(mistakes: list[Mistake]) -> str:
    return "\n".join(str(mistake) for mistake in mistakes)


def _leaves(tree: Mapping[str, Any], before: str = "") -> list[str]:
    found: list[str] = []
    for key, value in tree.items():
        found += _leaves(value, f"{before}{key}.") if isinstance(value, Mapping) else [before + key]
    return found


def _set_aside(file: OverridesFile, why: str) -> None:
    reason = "; ".join(why.splitlines())
    try:
        logger.warning("changes at run time are not in force: %s; set aside as %s", reason, file.set_aside())
    except OverridesError as error:
        logger.warning("changes at run time are not in force: %s; %s", reason, error)
