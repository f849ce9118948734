"""Plays a recording at the speed at which it was made."""

BEHIND_S = 0.5  # lateness that is not made up for: a burst of old frames helps nobody


class Pace:
    """When each picture of a recording is due. Not thread-safe; the capture thread owns it."""

    def __init__(self) -> None:
        self._start: float | None = None  # monotonic seconds at which media time was 0

    def wait_s(self, position_s: float, now: float) -> float:
        """The seconds to wait at ``now`` before the picture of media time ``position_s`` is due; 0 where it is late."""
        if self._start is None or now - (self._start + position_s) > BEHIND_S:
            self._start = now - position_s
        return max(0.0, self._start + position_s - now)
