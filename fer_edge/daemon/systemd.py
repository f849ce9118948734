"""What the service manager hears of the daemon's life: ready, how it is, that it moves, reloading, stopping."""

import time
from collections.abc import Callable, Mapping

from fer_edge.daemon.notify import Notifier
from fer_edge.daemon.status import Part, status_line
from fer_edge.daemon.watchdog import Watchdog

STATUS_S = 1.0  # a new status at most so often
# A first attempt at camera or broker that takes longer counts as made: who waits for READY learns from the status.
FIRST_ATTEMPTS_S = 45.0


class Systemd:
    """Silent where no service manager listens. Not thread-safe; the main thread owns it."""

    def __init__(self, notifier: Notifier, now: float) -> None:
        self._notifier = notifier
        self._watchdog = Watchdog(lambda: notifier.tell(WATCHDOG=1))
        self._ready_by = now + FIRST_ATTEMPTS_S
        self._status = ""
        self._status_due = now
        self.ready = False
        """Whether READY was said: models are loaded, camera and broker were tried, whatever came of it."""

    def look(self, now: float, *, tried: bool, parts: Callable[[], list[Part]], due_by: Mapping[str, float]) -> None:
        """Tells what there is to tell at ``now``, monotonic seconds; once in each turn of the main loop.

        ``tried``: the first attempts at camera and broker are over; ``parts`` is asked only when a status is due.
        """
        ready_now = not self.ready and (tried or now >= self._ready_by)
        if ready_now or now >= self._status_due:
            self._status_due = now + STATUS_S
            self._tell_status(status_line(parts()))
        if ready_now:
            self.ready = True
            self._notifier.tell(READY=1)
        self._watchdog.look(now, due_by)

    def reloading(self) -> None:
        """Settings are being read; `reloaded` follows. systemd takes the time to tell this reload from an older one."""
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def reloaded(self) -> None:
        """The reload is over, and the status is told at once."""
        self._notifier.tell(READY=1)
        self._status_due = float("-inf")

    def stopping(self) -> None:
        """The farewells begin."""
        self._notifier.tell(STOPPING=1, STATUS="saying farewell")

    def close(self) -> None:
        """Nothing will be told any more."""
        self._notifier.close()

    def _tell_status(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._notifier.tell(STATUS=status)
