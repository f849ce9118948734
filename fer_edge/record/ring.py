"""A bounded ring of score tables on disk: the newest stay, the oldest go, and what a power cut leaves can be read."""

import gzip
import logging
import os
from pathlib import Path

from fer_edge.record.score_file import NoOpening, read_table
from fer_edge.record.steps import Part, Recording

TABLES = 8  # of the ring; dropping the oldest loses an eighth
LEVEL = 6  # of gzip: 15 frames a second with a face are compressed in 1 ms a minute
PREFIX, SUFFIX = "scores-", ".csv.gz"

logger = logging.getLogger(__name__)


class Ring:
    """Writes. Not thread-safe; one thread owns it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._number = max((_number(path) for path in _tables(folder)), default=0)
        self._run = ""
        self._opening = ""
        self.written = 0  # bytes since the start

    def begin(self, run: str, opening: str) -> None:
        """Another table from the next `append` on: of a new run, or after a change of settings."""
        self._run, self._opening = run, opening
        self._number += 1

    def append(self, rows: str) -> None:
        """Adds rows to the table, or to a new one where it has grown to its share; raises OSError."""
        path = self._path()
        if path.exists() and path.stat().st_size >= self._max_bytes // TABLES:
            self._number += 1
            path = self._path()
        fresh = not path.exists()
        if fresh:
            self._folder.mkdir(parents=True, exist_ok=True)
        # Each append is a gzip member of its own (RFC 1952 2.2): those before it stay readable whatever happens to it.
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
        """Drops the oldest tables until the ring fits."""
        tables = _tables(self._folder)
        sizes = {path: path.stat().st_size for path in tables}
        held = sum(sizes.values())
        for path in tables:
            if held <= self._max_bytes or path == newest:
                return
            path.unlink()
            held -= sizes[path]


def read_ring(folder: Path) -> list[Recording]:
    """A recording for each run of the daemon that the ring still holds, oldest first; none where there is no ring.

    Tables that a power cut left without their opening are passed over, and that is said.

    Raises:
        UserError: there is no table but such, or one cannot be read for another reason.
    """
    runs: dict[str, list[Part]] = {}
    began: dict[str, float | None] = {}
    passed_over: list[NoOpening] = []
    for path in _tables(folder):
        try:
            origin, kept = read_table(path)
        except NoOpening as error:
            passed_over.append(error)
            continue
        runs.setdefault(origin.run, []).append(Part(tuple(kept), origin.decide, origin.lost_s))
        began.setdefault(origin.run, origin.began_wall)
    if passed_over and not runs:
        raise passed_over[0]
    if passed_over:
        more = len(passed_over) - 1
        others = f" (and {more} more table{'' if more == 1 else 's'})" if more else ""
        logger.warning("%s%s; passed over", passed_over[0], others)
    return [Recording(run, tuple(parts), began[run]) for run, parts in runs.items()]


def _tables(folder: Path) -> list[Path]:
    """The tables in the order in which they were written. By number: a device's clock may be weeks off after a boot."""
    found = [
        path
        for path in folder.glob(f"{PREFIX}*{SUFFIX}")
        if path.name.removeprefix(PREFIX).partition("-")[0].isdecimal()
    ]
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    digits = path.name.removeprefix(PREFIX).partition("-")[0]
    return int(digits) if digits.isdecimal() else 0
