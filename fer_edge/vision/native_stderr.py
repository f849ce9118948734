"""What C++ libraries print past Python: caught at the file descriptor, so that nothing of it meets the terminal.

LiteRT announces its XNNPACK delegate on stderr and has no switch for it (its severity is a symbol that the wheel
does not export; TF_CPP_MIN_LOG_LEVEL is not read), OpenCV prints a broken ONNX file's story before it raises. Both
also print what must be seen, for example that /proc/cpuinfo cannot be read: so the lines go to our log, by severity.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

logger = logging.getLogger(__name__)


@contextmanager
def native_stderr_caught(say: Callable[[str, bool], None]) -> Iterator[None]:
    """While it lasts, file descriptor 2 is caught; then ``say`` gets what was printed, and whether the block raised.

    For short calls at start only: what other threads log meanwhile waits until it is over.
    """
    try:
        original = os.dup(2)
    except OSError:  # a process without stderr: nothing can be printed to it
        yield
        return
    failed = True
    # In memory: on a full disk there is no room for a file, and that is no reason not to start.
    with _our_log_waits(), os.fdopen(os.memfd_create("stderr"), "w+b") as caught:
        sys.stderr.flush()
        os.dup2(caught.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            say(caught.read().decode(errors="replace"), failed)


@contextmanager
def _our_log_waits() -> Iterator[None]:
    """While it lasts, other threads wait with what they log, which would be caught, too, and said in a wrong name."""
    with ExitStack() as held:
        for handler in logging.getLogger().handlers:
            handler.acquire()
            held.callback(handler.release)
        yield


def native_stderr_logged(library: str) -> AbstractContextManager[None]:
    """While it lasts, file descriptor 2 is caught; then its lines are logged as ``library``'s.

    INFO lines become debug. Others become warnings, unless the block raises: then the exception tells the story
    and they are debug too.
    """
    return native_stderr_caught(partial(_log, library))


def _log(library: str, text: str, failed: bool) -> None:  # noqa: FBT001  a caught text and its end belong together
    for line in filter(None, map(str.strip, text.splitlines())):
        harmless = failed or line.startswith(("INFO:", "[ INFO:"))
        logger.log(logging.DEBUG if harmless else logging.WARNING, "%s: %s", library, line)
