"""Wakeup descriptor: an eventfd by which one thread wakes another that waits for the network in select."""

import os
from threading import Lock

CLOSED = -1


class Doorbell:
    """File descriptor that select sees as readable once it was rung.

    Any thread rings, one thread waits and clears, and the owner closes it when nobody waits any more.
    """

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # os.close releases the GIL: without the lock a ring in that moment writes to the next file of that number.
        self._lock = Lock()

    def fileno(self) -> int:
        """Return the descriptor for select."""
        return self._fd

    def ring(self) -> None:
        """Wake the thread that waits, or the next one that will; never blocks. No effect once it is closed."""
        with self._lock:
            if self._fd != CLOSED:
                os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        """Take notice of all rings up to now."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return  # nobody rang: it was the network

    def close(self) -> None:
        """Give the descriptor back; a second call has no effect, its number may belong to another file by then."""
        with self._lock:
            if self._fd != CLOSED:
                fd, self._fd = self._fd, CLOSED
                os.close(fd)
