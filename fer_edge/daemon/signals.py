"""What a terminal or the service manager asks for by signal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP


def hold_reloads() -> None:
    """From now until `Signals.heard` a SIGHUP waits; unheard it would end a daemon that is still loading."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {RELOAD})


def has_terminal() -> bool:
    """Return whether the process has a controlling terminal, tty(4); it loses it when the terminal is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class Signals:
    """Flags that the handlers set; the main thread looks at them when it has the time.

    SIGHUP has two meanings: reload, and that the terminal was closed. The second is meant where there was a terminal at
    the start and is none any more, unless nohup(1) was asked to make the process outlive it.
    """

    def __init__(self) -> None:
        self.stop, self.reload = Event(), Event()
        self._ends_with_terminal = has_terminal() and signal.getsignal(RELOAD) != signal.SIG_IGN

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While it lasts, SIGTERM and Ctrl-C set `stop`, SIGHUP one of both; afterwards all is as it was."""

        def note(number: int, _frame: FrameType | None) -> None:
            reload = number == RELOAD and not (self._ends_with_terminal and not has_terminal())
            (self.reload if reload else self.stop).set()

        before = {one: signal.signal(one, note) for one in (*STOP, RELOAD)}
        held = signal.pthread_sigmask(signal.SIG_UNBLOCK, {RELOAD})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            for number, handler in before.items():
                signal.signal(number, handler)
