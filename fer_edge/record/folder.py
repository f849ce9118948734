"""All the scores that a folder holds: tables that `fer-edge video` wrote there, and a daemon's ring."""

from pathlib import Path

from fer_edge.errors import UserError
from fer_edge.record.ring import SUFFIX, read_ring
from fer_edge.record.score_file import ENDING, read_recording
from fer_edge.record.steps import Recording


def read_folder(folder: Path) -> list[Recording]:
    """A recording for each video's table, in the order of their names, then one for each run of a daemon, oldest first.

    The daemon's come last, because the settings of the last recording are those that hold now. Hidden files are left
    out: a video that is still being analysed has one.

    Raises:
        UserError: there is none, or one cannot be read.
    """
    tables = sorted(path for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))
    found = [*map(read_recording, tables), *read_ring(folder)]
    if not found:
        raise UserError(
            f"{folder}: holds no tables of scores; `fer-edge video --write scores` writes them (*{ENDING}), "
            f"record.enabled has the daemon keep them (*{SUFFIX})"
        )
    return found
