"""What `fer-edge check` says of recorded scores: whether the daemon could write them where they are to be kept."""

import tempfile
from pathlib import Path

from fer_edge.config.model import RecordSettings
from fer_edge.errors import UserError
from fer_edge.recording.recorder import scores_folder

TRIAL = bytes(4096)  # a block: a disk that is full still lets files be made


def check_record(settings: RecordSettings, state: Path) -> str:
    """Where scores are kept, in one line; nothing is left there. ``state`` is the daemon's state folder.

    Raises:
        UserError: they could not be written.
    """
    folder = scores_folder(settings, state)
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())  # / at last
    try:
        with tempfile.TemporaryFile(dir=there) as trial:  # without a name, so nothing is left whatever happens
            trial.write(TRIAL)
            trial.flush()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"record.folder: {folder} cannot be written: {reason}; name another") from error
    return f"at most {settings.max_mib:g} MiB of scores in {folder}"
