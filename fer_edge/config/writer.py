"""Thresholds and zones written back into a user's config.yaml: every comment stays, and it is whole at any moment."""

import contextlib
import fcntl
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.config.loader import MAX_BYTES, Document, parse_document, parse_settings
from fer_edge.config.model import DecideSettings, Zone
from fer_edge.errors import UserError
from fer_edge.untrusted import read_regular

WIDTH = 4096  # ruamel would fold a user's long lines at 80


class Unwritable(UserError):  # noqa: N818 - it is named for what it says of the file
    """The file or its folder may not be written, or there is no room."""


class Draft(msgspec.Struct, frozen=True):
    """A settings file as it is to be; `commit` puts it in place of the one that it was made from."""

    path: Path
    before: bytes
    after: str
    document: Document  # what `after` holds

    def commit(self) -> None:
        """Replace the file, unless it holds that already.

        Raises:
            Unwritable: it may not be written.
            UserError: somebody else has changed it meanwhile; theirs stays.
        """
        if _read(self.path) != self.before:
            raise UserError(f"{self.path}: was changed by somebody else at the same moment: save again")
        if self.after.encode() == self.before:
            return
        try:
            _replace(self.path.resolve(), self.after)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Unwritable(f"{self.path}: cannot be written: {reason}") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold off every other process's save of the file, from reading to replacing it.

    The lock is on the folder, because the file itself is replaced and another one beside it would stay behind. A file
    system of the network that has no such locks holds nobody off; a change in between is then found by `Draft.commit`.

    Raises:
        Unwritable: the folder cannot be opened.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unwritable(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def drafted_decide(path: Path, decide: DecideSettings) -> Draft:
    """``path`` with these thresholds; what equals what stands there, or the default where nothing does, stays.

    Raises:
        UserError: the extra is missing, or the file cannot be read, holds mistakes, or would hold a contradiction.
    """
    return _drafted(path, "decide", lambda text: with_decide(text, decide))


def drafted_zones(path: Path, zones: Sequence[Zone]) -> Draft:
    """``path`` with these blackout zones. Raises UserError as `drafted_decide` does."""
    return _drafted(path, "privacy", lambda text: with_zones(text, zones))


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


def _drafted(path: Path, section: str, change: Callable[[str], str]) -> Draft:
    content = _read(path)
    try:
        before = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text, save it as UTF-8") from error
    old = parse_settings(before)[0]
    if old is None:
        raise UserError(f"{path}: holds mistakes, mend them first: fer-edge check names them")
    after = change(before)
    document, mistakes = parse_document(after)
    if document is None:
        raise UserError(mistakes[0].render(path))
    if msgspec.structs.replace(document.settings, **{section: getattr(old, section)}) != old:
        raise UserError(f"{path}: a program cannot change {section} without changing more: change it by hand")
    return Draft(path, content, before if after == before else after, document)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error


def _changed(text: str, name: str, change: Callable[[Any], None]) -> str:
    """The YAML after ``change`` was shown its section ``name``, which is made where there is none."""
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415  the extra
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"saving needs the extra: pip install 'fer-edge[preview]' ({error})") from error
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    written = io.StringIO()
    try:
        root = yaml.load(text)
        root = {} if root is None else root  # nothing but comments
        if root.get(name) is None:
            root[name] = {}
        change(root[name])
        yaml.dump(root, written)
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # ruamel reads YAML 1.2, and raises these where a value's form is odd, `!!` tags and dates among them.
        raise UserError("config.yaml is written in a way that a program cannot change: change it by hand") from error
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
