"""Files that are there whole or not at all: written beside their place under another name, moved there at the end."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_edge.errors import UserError


def user_path(text: str) -> Path:
    """``text`` with a leading `~` or `~name` replaced by that home folder.

    Where there is no such user it stays as it is, and whoever opens it says that there is no such file.
    """
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def printable_path(path: Path) -> str:
    r"""A path as any terminal, and JSON, can show it.

    A byte of it that is not UTF-8 becomes `\xe9`, and what a terminal would obey is written out, as `\n` or `\x1b`.
    """
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


@contextmanager
def output_errors(output: Path) -> Iterator[None]:
    """Raises UserError, with the name of ``output``, for what the system refuses in the block."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{printable_path(output)}: cannot be written: {(error.strerror or str(error)).lower()}"
        ) from error


class OutputFile(io.FileIO):
    """A new file at ``part``. A disk that is full is said of ``output``, also where a buffer above writes late."""

    def __init__(self, part: Path, output: Path) -> None:
        self._output = output
        with output_errors(output):
            super().__init__(part, "wb")

    def write(self, data: Any, /) -> int:
        """As a file's; raises UserError."""
        with output_errors(self._output):
            return super().write(data)


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """A path to write to; becomes ``path`` when the block ends well, and is gone when it does not.

    It is in the same folder, so that the move cannot fail for want of space, and ends as ``path`` does.

    Raises:
        UserError: the folder cannot be made, or something else is in the place.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield part
        with output_errors(path):
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        with output_errors(path):
            part.unlink(missing_ok=True)
