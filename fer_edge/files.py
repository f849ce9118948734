"""Paths, atomic writes, and the errors of outputs."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fer_edge.errors import UserError, os_reason
from fer_edge.terminal import printable


def user_path(text: str) -> Path:
    """Return ``text`` as a path, with a leading `~` or `~name` replaced by that home folder, if the user exists."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def printable_path(path: Path) -> str:
    r"""Return a path as any terminal, and JSON, can show it: bytes that are not UTF-8 as `\xe9`, controls as `\x1b`."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return printable(text)


@contextmanager
def output_errors(output: Path) -> Iterator[None]:
    """Raise a UserError that names ``output`` for each OSError in the block."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{printable_path(output)}: cannot be written: {os_reason(error)}") from error


class OutputFile(io.FileIO):
    """New file at ``part`` whose errors name ``output``, also if a buffer above it writes late."""

    def __init__(self, part: Path, output: Path) -> None:
        self._output = output
        with output_errors(output):
            super().__init__(part, "wb")

    def write(self, data: Any, /) -> int:
        """Write as a file does; raises UserError."""
        with output_errors(self._output):
            return super().write(data)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Atomic write: a path to write to, which replaces ``path`` when the block ends without an error.

    It is in the same folder, since a rename is atomic only within a file system, and keeps all suffixes, since Keras
    and matplotlib choose the format by them. Data are synced before the rename and the folder after it: after a power
    cut there is the older file or the newer one. Raises OSError.
    """
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield part
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Atomic write of an output of a command: as `replaced_file`, with its folder made, and UserError for OSError."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as part:
            yield part


def check_folder(folder: Path) -> None:
    """Raise UserError if ``folder`` cannot be made or written, without making it: before minutes of work."""
    with output_errors(folder):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there, prefix=".part-"):
            pass


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
