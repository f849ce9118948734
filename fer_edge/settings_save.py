"""Thresholds and zones written back into a user's config.yaml: every comment stays, and it is whole at any moment."""

import io
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.config import DecideSettings, Zone
from fer_edge.errors import UserError
from fer_edge.settings_file import parse_settings

WIDTH = 4096  # ruamel would fold a user's long lines at 80


class Unwritable(UserError):  # noqa: N818 - it is named for what it says of the file
    """The file or its folder may not be written, or there is no room."""


def save_decide(path: Path, decide: DecideSettings) -> None:
    """Sets the keys of `decide` in ``path``; what equals what stands there, or the default where nothing does, stays.

    Raises:
        UserError: the extra is missing, or the file cannot be written, holds mistakes, or would hold a contradiction.
    """
    _save(path, lambda text: with_decide(text, decide))


def save_zones(path: Path, zones: Sequence[Zone]) -> None:
    """Sets `privacy.zones` in ``path``. Raises UserError as `save_decide` does."""
    _save(path, lambda text: with_zones(text, zones))


def with_decide(text: str, decide: DecideSettings) -> str:
    """Valid settings as YAML, with these thresholds; comments, order and quotes stay. Raises UserError."""

    def change(section: Any) -> None:
        _set(section, msgspec.to_builtins(decide), msgspec.to_builtins(DecideSettings()))

    return _changed(text, "decide", change)


def with_zones(text: str, zones: Sequence[Zone]) -> str:
    """Valid settings as YAML, with these blackout zones; comments, order and quotes stay. Raises UserError."""

    def change(section: Any) -> None:
        section["zones"] = [[list(point) for point in zone] for zone in zones]

    return _changed(text, "privacy", change)


def _save(path: Path, change: Callable[[str], str]) -> None:
    try:
        before = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if parse_settings(before)[0] is None:
        raise UserError(f"{path}: holds mistakes, mend them first: fer-edge check names them")
    after = change(before)
    settings, mistakes = parse_settings(after)
    if settings is None:
        raise UserError(mistakes[0].render(path))
    if after == before:
        return
    try:
        _replace(path.resolve(), after)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Unwritable(f"{path}: cannot be written: {reason}") from error


def _changed(text: str, name: str, change: Callable[[Any], None]) -> str:
    """The YAML after ``change`` was shown its section ``name``, which is made where there is none."""
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415  the extra
    except ImportError as error:
        raise UserError(f"saving needs the extra: pip install 'fer-edge[preview]' ({error})") from error
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    root = yaml.load(text)
    root = {} if root is None else root  # nothing but comments
    if root.get(name) is None:
        root[name] = {}
    change(root[name])
    written = io.StringIO()
    yaml.dump(root, written)
    return written.getvalue()


def _set(section: Any, values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Changes what differs, key by key, so that what is left alone keeps its form and its comment."""
    for key, value in values.items():
        if key == "emotions":
            _set_emotions(section, value)
        elif section.get(key, defaults[key]) != value:
            section[key] = value


def _set_emotions(section: Any, values: dict[str, Any]) -> None:
    plain = {name: {key: one for key, one in own.items() if one is not None} for name, own in values.items()}
    plain = {name: own for name, own in plain.items() if own}
    if section.get("emotions") is None:
        if not plain:
            return
        section["emotions"] = {}
    there = section["emotions"]
    for name in [name for name in there if name not in plain]:
        del there[name]
    for name, own in plain.items():
        if dict(there.get(name) or {}) != own:
            there[name] = own


def _replace(path: Path, text: str) -> None:
    """Writes beside, to the disk, and moves into place; mode and owner stay as they were."""
    before = path.stat()
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "permission denied", str(path))
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), before.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fsync(file.fileno())
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
