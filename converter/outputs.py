"""Files that are written whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fer_edge.errors import UserError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; takes its place when the block ends well, is removed when it does not.

    It keeps all suffixes, since Keras and matplotlib choose the format by them. UserError names ``path`` where the
    folder cannot be written or the disk is full.
    """
    beside = path.with_name(f".writing-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
