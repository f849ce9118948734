"""How fast a backlog may be sent: so many a second, in small bursts. Pure."""

BURST_S = 0.1  # of the rate may go at once


class ReplayPace:
    """A token bucket. Not thread-safe; the event line owns it."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._most = max(1.0, rate_hz * BURST_S)
        self._allowed = self._most
        self._counted_at = float("-inf")

    def allows(self, now: float) -> bool:
        """Whether one more may go; it is counted as gone."""
        self._count(now)
        if self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        return True

    def wait_s(self, now: float) -> float:
        """How long until one more may go."""
        self._count(now)
        return max(0.0, (1.0 - self._allowed) / self._rate_hz)

    def _count(self, now: float) -> None:
        if now > self._counted_at:
            passed_s = min(now - self._counted_at, BURST_S + 1.0 / self._rate_hz)
            self._allowed = min(self._most, self._allowed + passed_s * self._rate_hz)
            self._counted_at = now
