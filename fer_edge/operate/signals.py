"""What a terminal or the service manager asks for by signal."""

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


class Signals:
    """Flags that the handlers set; the main thread looks at them when it has the time."""

    def __init__(self) -> None:
        self.stop, self.reload = Event(), Event()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While it lasts, SIGTERM and Ctrl-C set `stop` and SIGHUP sets `reload`; afterwards all is as it was."""

        def note(number: int, _frame: FrameType | None) -> None:
            (self.reload if number == RELOAD else self.stop).set()

        before = {one: signal.signal(one, note) for one in (*STOP, RELOAD)}
        held = signal.pthread_sigmask(signal.SIG_UNBLOCK, {RELOAD})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            for number, handler in before.items():
                signal.signal(number, handler)
