"""What the processes that convert have in common: their libraries' noise is hidden, what a user can cure is one line.

The lines on the pipe, standard output, are those of `quantize_job`; whoever started the process reads them.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from converter.quantize import job as quantize_job
from fer_edge.errors import EXIT_FAILED, UserError

EXTRA = {"tensorflow", "tf_keras", "keras", "h5py"}  # what `fer-edge[converter]` brings
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def done(folder: Path, work: Callable[[Path, Callable[[str], None]], None]) -> int:
    """Do ``work`` in ``folder``, which may say stages; 0, or 1 after an error that a user can cure, which was said."""
    say = _hidden_output()
    try:
        work(folder, lambda stage: say(quantize_job.STAGE + stage))
    except UserError as error:
        say(quantize_job.ERROR + str(error))
        return EXIT_FAILED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        say(f"{quantize_job.ERROR}{error.name} is not installed: pip install 'fer-edge[converter]'")
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        say(f"{quantize_job.ERROR}{folder.parent}: cannot be written: {error.strerror}")
        return EXIT_FAILED
    return 0


def _hidden_output() -> Callable[[str], None]:
    """What prints a line to the real standard output, which from now on is hidden from every library."""
    real = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(line: str) -> None:
        print(line, file=real, flush=True)

    return say
