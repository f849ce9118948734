"""Signals: SIGTERM and Ctrl-C stop, SIGHUP reloads."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP


def block_reloads() -> None:
    """Block SIGHUP until `Signals.handled`; without a handler it would end a daemon that is still loading."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {RELOAD})


def has_terminal() -> bool:
    """Return whether the process has a controlling terminal, tty(4), which is lost when the terminal is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


# The terminal may be closed while the daemon loads, with SIGHUP blocked: this module is imported before that.
STARTED_AT_TERMINAL = has_terminal()


class Signals:
    """Flags that signal handlers set and the main thread polls.

    SIGHUP means reload, or that the terminal was closed: the latter where there was a terminal at the start and is none
    any more, unless nohup(1) ignores SIGHUP.
    """

    def __init__(self) -> None:
        self.stop, self.reload = Event(), Event()
        self._ends_with_terminal = STARTED_AT_TERMINAL and signal.getsignal(RELOAD) != signal.SIG_IGN

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Let SIGTERM and Ctrl-C set `stop`, SIGHUP `stop` or `reload`; restore the handlers at the end."""

        def set_flag(number: int, _frame: FrameType | None) -> None:
            reload = number == RELOAD and not (self._ends_with_terminal and not has_terminal())
            (self.reload if reload else self.stop).set()

        before = {one: signal.signal(one, set_flag) for one in (*STOP, RELOAD)}
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {RELOAD})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number, handler in before.items():
                signal.signal(number, handler)
