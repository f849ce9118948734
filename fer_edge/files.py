"""Files that are there whole or not at all: written beside their place under another name, moved there at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_edge.written import written


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path to write to; becomes ``path`` when the block ends well, and is gone when it does not.

    It is in the same folder, so that the move cannot fail for want of space, and ends as ``path`` does.

    Raises:
        UserError: the folder cannot be made, or something else is in the place.
    """
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield part
        with written(path):
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        with written(path):
            part.unlink(missing_ok=True)
