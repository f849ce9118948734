"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fer_edge.errors import UserError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; takes its place when the block ends well, is removed when it does not.

    It keeps all suffixes, since Keras and matplotlib choose the format by them. UserError names ``path`` where the
    folder cannot be written or the disk is full. After a power cut there is the older file or the newer one, whole: the
    bytes are on the disk before the name is, which file systems do not guarantee by themselves.
    """
    beside = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """UserError where ``folder`` is not there and cannot be made, or cannot be written; it is not made yet.

    For what would take minutes before it writes its first file.
    """
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there, prefix=".writing-"):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
