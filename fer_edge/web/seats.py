"""How many may watch at once: a seat is taken before the first byte and given back whatever ends the stream."""

from threading import Lock


class Seats:
    """Counts. Thread-safe; every request has a thread of its own."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many there are now."""
        return self._taken

    def take(self) -> bool:
        """Whether there was a free seat, which is taken now."""
        with self._lock:
            free = self._taken < self.limit
            self._taken += free
            return free

    def leave(self) -> None:
        """Gives a seat back."""
        with self._lock:
            self._taken -= 1
