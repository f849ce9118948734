"""What the log is told about the link: each change once, not each repetition. Pure."""

from enum import Enum


class Word(Enum):
    """What is worth a line."""

    NOTHING = 0
    UP = 1
    DOWN = 2


class Once:
    """Decides whether news of the link are news. Not thread-safe; the link's thread owns it.

    A link that ends for the same reason within ``steady_s`` of its start is flapping, as when two daemons throw each
    other out: that is said once, and the next thing said is that the link has been steady.
    """

    def __init__(self, steady_s: float) -> None:
        self._steady_s = steady_s
        self._reason: str | None = None  # the last that was said
        self._up_since: float | None = None
        self._said_up = False
        self._flapping = False

    def up(self, now: float) -> Word:
        """A link is there."""
        self._up_since = now
        self._said_up = not self._flapping
        return Word.UP if self._said_up else Word.NOTHING

    def down(self, reason: str, now: float) -> Word:
        """There is none, or none any more."""
        was_steady = self.steady(now)
        self._flapping = self._up_since is not None and not was_steady and reason == self._reason
        repeated = reason == self._reason and not was_steady
        self._reason, self._up_since = reason, None
        return Word.NOTHING if repeated else Word.DOWN

    def steady(self, now: float) -> bool:
        """Whether the link has lasted."""
        return self._up_since is not None and now - self._up_since >= self._steady_s

    def tick(self, now: float) -> Word:
        """Time passes while the link is there."""
        if self._said_up or not self.steady(now):
            return Word.NOTHING
        self._said_up, self._flapping = True, False
        return Word.UP


class Seldom:
    """A limit for lines about what others cause as often as they like. Not thread-safe.

    The first is due at once, then one each ``interval_s``, with the number of those between.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_at = float("-inf")
        self._skipped = 0

    def line(self, text: str, now: float) -> str | None:
        """Return the line to log at ``now`` (seconds, monotonic); None where it is too early for one."""
        if now < self._due_at:
            self._skipped += 1
            return None
        more = f" ({self._skipped} more like it since the last one)" if self._skipped else ""
        self._due_at, self._skipped = now + self._interval_s, 0
        return text + more
