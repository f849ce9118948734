"""All the scores that a folder holds: tables that `fer-edge video` wrote there, and a daemon's ring."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from fer_edge.errors import UserError
from fer_edge.recording.format import ENDING, read_recording
from fer_edge.recording.rotation import SUFFIX, name_passed_over, read_ring
from fer_edge.recording.steps import Recording


def read_sources(sources: Iterable[Path], tell: Callable[[], None]) -> list[Recording]:
    """Read tables, and folders with all that are in them; ``tell`` is called after each.

    One that cannot be read is passed over where there are others, and that is logged.

    Raises:
        UserError: none can be read.
    """

    def read(source: Path) -> list[Recording]:
        try:
            return read_folder(source) if source.is_dir() else [read_recording(source)]
        finally:
            tell()

    return _each(partial(read, source) for source in sources)


def read_folder(folder: Path) -> list[Recording]:
    """A recording for each video's table, in the order of their names, then one for each run of a daemon, oldest first.

    The daemon's come last, because the settings of the last recording are those that hold now. Hidden files are left
    out: a video that is still being analysed has one. Tables that cannot be read are passed over, and that is logged.

    Raises:
        UserError: there is none, or none can be read.
    """
    tables = sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))
    found = _each([*(partial(_recordings, table) for table in tables), partial(read_ring, folder)])
    if not found:
        raise UserError(
            f"{folder}: holds no tables of scores; `fer-edge video --write scores` writes them (*{ENDING}), "
            f"record.enabled has the daemon keep them (*{SUFFIX})"
        )
    return found


def _recordings(table: Path) -> list[Recording]:
    return [read_recording(table)]


def _each(reads: Iterable[Callable[[], Sequence[Recording]]]) -> list[Recording]:
    found: list[Recording] = []
    failures: list[UserError] = []
    for read in reads:
        try:
            found += read()
        except UserError as error:
            failures.append(error)
    name_passed_over(failures, any_read=bool(found))
    return found
