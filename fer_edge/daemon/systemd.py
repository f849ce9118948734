"""Notifications to systemd, sd_notify(3): READY, STATUS, WATCHDOG, RELOADING, STOPPING."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from fer_edge.daemon.status import StatusPart, status_line

logger = logging.getLogger(__name__)

WATCHDOG_S = 1.0  # least interval of watchdog notifications; WatchdogSec= is many times longer
STATUS_S = 1.0  # least interval of status updates
# READY is sent at the latest after this time, even while the first attempt at camera or broker still runs.
FIRST_ATTEMPTS_S = 45.0


class Notifier:
    """sd_notify client; does nothing where `$NOTIFY_SOCKET` is not set. The main thread owns it."""

    def __init__(self) -> None:
        # Removed from the environment so that no child process sends notifications.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._failing = False
        if address:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.connect("\0" + address[1:] if address.startswith("@") else address)

    def notify(self, **values: str | int) -> None:
        """Send ``READY=1``, ``STATUS=...`` and the like; keys are systemd's own, in capitals.

        A notification that cannot be sent is dropped, and the first of them is logged.
        """
        if self._socket is None:
            return
        lines = (f"{key}={' '.join(str(value).split())}" for key, value in values.items())
        try:
            self._socket.send("\n".join(lines).encode())
        except OSError as error:
            if not self._failing:
                logger.warning("cannot notify systemd: %s; the daemon continues", error.strerror)
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Watchdog:
    """Watchdog notifications, sent only while all threads make progress. Not thread-safe.

    The main thread calls `check` in each iteration of its loop, so a loop that hangs sends none either.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._next_at = float("-inf")
        self._late: list[str] = []

    def check(self, now: float, deadlines: Mapping[str, float]) -> None:
        """Notify, unless the deadline of one of the named threads is before ``now`` (monotonic seconds)."""
        late = [name for name, deadline in deadlines.items() if now > deadline]
        if late != self._late:
            if late:
                logger.error("no progress: %s; watchdog notifications stopped", ", ".join(late))
            else:
                logger.warning("progress again: watchdog notifications resumed")
            self._late = late
        if not late and now >= self._next_at:
            self._next_at = now + WATCHDOG_S
            self._notify()


class Systemd:
    """The daemon's state as systemd sees it. Not thread-safe; the main thread owns it."""

    def __init__(self, notifier: Notifier, now: float) -> None:
        self._notifier = notifier
        self._watchdog = Watchdog(lambda: notifier.notify(WATCHDOG=1))
        self._ready_by = now + FIRST_ATTEMPTS_S
        self._status = ""
        self._status_due = now
        self.ready = False
        """True once READY was sent: models are loaded, camera and broker were tried, with or without success."""

    def update(
        self, now: float, *, tried: bool, parts: Callable[[], list[StatusPart]], deadlines: Mapping[str, float]
    ) -> None:
        """Send what is due at ``now``, monotonic seconds; once in each iteration of the main loop.

        ``tried``: the first attempts at camera and broker are over; ``parts`` is called only when a status is due.
        """
        ready_now = not self.ready and (tried or now >= self._ready_by)
        if ready_now or now >= self._status_due:
            self._status_due = now + STATUS_S
            self._send_status(status_line(parts()))
        if ready_now:
            self.ready = True
            self._notifier.notify(READY=1)
        self._watchdog.check(now, deadlines)

    def reloading(self) -> None:
        """Announce a reload; `reloaded` must follow. systemd uses the time to match them."""
        self._notifier.notify(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def reloaded(self) -> None:
        """Announce the end of a reload; the status is sent with the next update."""
        self._notifier.notify(READY=1)
        self._status_due = float("-inf")

    def stopping(self) -> None:
        """Announce the stop."""
        self._notifier.notify(STOPPING=1, STATUS="stopping")

    def close(self) -> None:
        """Close the socket."""
        self._notifier.close()

    def _send_status(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._notifier.notify(STATUS=status)
