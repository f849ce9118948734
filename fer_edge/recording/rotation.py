"""Rotated score tables: bounded in size, the oldest are deleted first, readable after a power cut."""

import gzip
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from fer_edge.errors import UserError
from fer_edge.recording.format import Part, Recording, TableError, read_table

TABLES = 8  # in the folder at most; deleting the oldest loses an eighth
LEVEL = 6  # of gzip: a minute of one face at 15 fps takes 1 ms
PREFIX, SUFFIX = "scores-", ".csv.gz"

logger = logging.getLogger(__name__)


class RotatingTables:
    """Writer of rotated tables. Not thread-safe; one thread owns it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._number = max((_number(path) for path in _tables(folder)), default=0)
        self._run = ""
        self._opening = ""
        self.written = 0  # bytes since the start

    def begin(self, run: str, opening: str) -> None:
        """Begin another table with the next `append`: for a new run, or after a change of settings."""
        self._run, self._opening = run, opening
        self._number += 1

    def append(self, rows: str) -> None:
        """Append rows to the table, or to a new one if it is full; raises OSError."""
        path = self._path()
        if path.exists() and path.stat().st_size >= self._max_bytes // TABLES:
            self._number += 1
            path = self._path()
        fresh = not path.exists()
        if fresh:
            self._folder.mkdir(parents=True, exist_ok=True)
        # Each append is a gzip member of its own (RFC 1952 2.2): earlier ones stay readable if this one is cut off.
        content = gzip.compress(((self._opening if fresh else "") + rows).encode(), LEVEL)
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self.written += len(content)
        self._prune(path)

    def _path(self) -> Path:
        return self._folder / f"{PREFIX}{self._number:08d}-{self._run}{SUFFIX}"

    def _prune(self, newest: Path) -> None:
        """Delete the oldest tables until the rest fit."""
        tables = _tables(self._folder)
        sizes = {path: path.stat().st_size for path in tables}
        total = sum(sizes.values())
        for path in tables:
            if total <= self._max_bytes or path == newest:
                return
            path.unlink()
            total -= sizes[path]


def read_tables(folder: Path) -> list[Recording]:
    """Read a recording for each run of the daemon in ``folder``, oldest first; empty without tables.

    A table that cannot be read, as after a power cut, is skipped with a warning.

    Raises:
        TableError: no table can be read.
    """
    runs: dict[str, list[Part]] = {}
    began: dict[str, float | None] = {}
    skipped: list[TableError] = []
    for path in _tables(folder):
        try:
            origin, kept = read_table(path)
        except TableError as error:
            skipped.append(error)
            continue
        runs.setdefault(origin.run, []).append(Part(tuple(kept), origin.decide, origin.lost_s))
        began.setdefault(origin.run, origin.began_wall)
    log_skipped(skipped, any_read=bool(runs))
    return [Recording(run, tuple(parts), began[run]) for run, parts in runs.items()]


def log_skipped(failures: Sequence[UserError], *, any_read: bool) -> None:
    """Log the tables that are skipped, in one line; raise the first if no table could be read."""
    if not failures:
        return
    if not any_read:
        raise failures[0]
    more = len(failures) - 1
    others = f" (and {more} more table{'' if more == 1 else 's'})" if more else ""
    logger.warning("%s%s; skipped", failures[0], others)


def _tables(folder: Path) -> list[Path]:
    """Return the tables in the order of writing. By number: a device's clock may be weeks off after a boot."""
    found = [
        path
        for path in folder.glob(f"{PREFIX}*{SUFFIX}")
        if path.name.removeprefix(PREFIX).partition("-")[0].isdecimal() and _is_file(path)
    ]
    return sorted(found, key=_number)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that can be listed but not entered
        return False


def _number(path: Path) -> int:
    digits = path.name.removeprefix(PREFIX).partition("-")[0]
    return int(digits) if digits.isdecimal() else 0
