"""How one thread wakes another that waits for the network."""

import os

CLOSED = -1


class Doorbell:
    """A file descriptor that select sees as readable once it was rung. Any thread rings, one waits and
    clears, and who made it closes it when nobody waits any more.
    """

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """What to give to select."""
        return self._fd

    def ring(self) -> None:
        """Wakes whoever waits, or whoever will wait next; never blocks. Silent once it is closed."""
        if self._fd != CLOSED:
            os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        """Takes notice of all rings up to now."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return  # nobody rang: it was the network

    def close(self) -> None:
        """Gives the descriptor back, once: by the second time its number may be somebody else's."""
        if self._fd != CLOSED:
            os.close(self._fd)
            self._fd = CLOSED
