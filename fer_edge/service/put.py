"""Files of the service, put in place whole or not at all, and taken away."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_edge.errors import UserError


def put(path: Path, text: str, mode: int = 0o644) -> bool:
    """Makes ``path`` hold ``text``; whether that changed anything. Nobody ever reads a half-written file.

    Raises:
        UserError: it cannot be written.
    """
    with _told(path):
        if path.is_file() and path.read_text() == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                os.fchmod(handle, mode)
                file.write(text)
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return True


def remove(path: Path) -> bool:
    """Takes a file or a folder with all that is in it away; whether there was one.

    Raises:
        UserError: it cannot be removed.
    """
    with _told(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            path.unlink()
        else:
            return False
        return True


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = ": switch the overlay file system off for this" if error.errno == errno.EROFS else ""
        raise UserError(f"{path}: {error.strerror}{hint}") from error
