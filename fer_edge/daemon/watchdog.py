"""systemd's watchdog is fed by the work: by the vision loop, and only while the other threads keep their word too.

Each thread says beforehand until when it will have shown progress (`due_by`). Waiting for a camera or a broker that is
away is progress, because the wait ends; an attempt that never returns is not, and only a restart cures it.
"""

import logging
from collections.abc import Callable, Mapping

FEED_S = 1.0  # at most so often: the loop passes many times a second, the watchdog waits for many seconds

logger = logging.getLogger(__name__)


class Watchdog:
    """The main thread calls `look` on each turn of its loop; where the loop hangs nobody does. Not thread-safe."""

    def __init__(self, feed: Callable[[], None]) -> None:
        self._feed = feed
        self._next_at = float("-inf")
        self._late: list[str] = []

    def look(self, now: float, due_by: Mapping[str, float]) -> None:
        """Feeds, unless one of the named threads should have shown progress before ``now`` (monotonic seconds)."""
        late = [name for name, due in due_by.items() if now > due]
        if late != self._late:
            if late:
                logger.error("no progress: %s; the watchdog is fed no more until there is", ", ".join(late))
            else:
                logger.warning("progress again: the watchdog is fed")
            self._late = late
        if not late and now >= self._next_at:
            self._next_at = now + FEED_S
            self._feed()
