"""What the service manager hears of the daemon's life: ready, how it is, that it moves, reloading, stopping."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from fer_edge.daemon.status import StatusPart, status_line

logger = logging.getLogger(__name__)

FEED_S = 1.0  # at most so often: the loop passes many times a second, the watchdog waits for many seconds
STATUS_S = 1.0  # a new status at most so often
# A first attempt at camera or broker that takes longer counts as made: who waits for READY learns from the status.
FIRST_ATTEMPTS_S = 45.0


class Notifier:
    """Talks to systemd where it listens, and says nothing elsewhere. The main thread owns it."""

    def __init__(self) -> None:
        # Taken out of the environment so that no child speaks in our name.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._complained = False
        if address:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.connect("\0" + address[1:] if address.startswith("@") else address)

    def tell(self, **values: str | int) -> None:
        """Sends ``READY=1``, ``STATUS=...`` and the like; keys are systemd's own, in capitals.

        A manager that is away or too busy to listen is no reason to stop: the word is lost, and that is logged.
        """
        if self._socket is None:
            return
        lines = (f"{key}={' '.join(str(value).split())}" for key, value in values.items())
        try:
            self._socket.send("\n".join(lines).encode())
        except OSError as error:
            if not self._complained:
                logger.warning("the service manager does not listen (%s); the daemon works on", error.strerror)
            self._complained = True
        else:
            self._complained = False

    def close(self) -> None:
        """Ends the talk."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Watchdog:
    """The main thread calls `look` on each turn of its loop; where the loop hangs nobody does. Not thread-safe."""

    def __init__(self, feed: Callable[[], None]) -> None:
        self._feed = feed
        self._next_at = float("-inf")
        self._late: list[str] = []

    def look(self, now: float, deadline: Mapping[str, float]) -> None:
        """Feeds, unless one of the named threads should have shown progress before ``now`` (monotonic seconds)."""
        late = [name for name, due in deadline.items() if now > due]
        if late != self._late:
            if late:
                logger.error("no progress: %s; the watchdog is fed no more until there is", ", ".join(late))
            else:
                logger.warning("progress again: the watchdog is fed")
            self._late = late
        if not late and now >= self._next_at:
            self._next_at = now + FEED_S
            self._feed()


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

    def look(
        self, now: float, *, tried: bool, parts: Callable[[], list[StatusPart]], deadline: Mapping[str, float]
    ) -> None:
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
        self._watchdog.look(now, deadline)

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
