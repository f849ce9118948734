"""What the disk refuses, said of the output that it was for: FFmpeg and buffers name no file, or the one beside it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_edge.errors import UserError
from fer_edge.user_path import printed


@contextmanager
def written(output: Path) -> Iterator[None]:
    """Raises UserError, with the name of ``output``, for what the system refuses in the block."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{printed(output)}: cannot be written: {(error.strerror or str(error)).lower()}") from error


class NamedFile(io.FileIO):
    """A new file at ``part``. A disk that is full is said of ``output``, also where a buffer above writes late."""

    def __init__(self, part: Path, output: Path) -> None:
        self._output = output
        with written(output):
            super().__init__(part, "wb")

    def write(self, data: Any, /) -> int:
        """As a file's; raises UserError."""
        with written(self._output):
            return super().write(data)
