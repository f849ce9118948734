"""Exponential backoff with full jitter.

Full jitter, a uniform draw between 0 and the bound, best spreads the retries of many devices that lost
the same broker: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from collections.abc import Callable


class Backoff:
    """Waits between attempts, in seconds. Not thread-safe; the retrying thread owns it."""

    def __init__(self, first_s: float, max_s: float, draw: Callable[[], float]) -> None:
        """``first_s`` and ``max_s`` bound the first and the longest wait; ``draw`` returns 0 to below 1."""
        self._first_s = first_s
        self._max_s = max_s
        self._draw = draw
        self._bound_s = first_s

    def next_s(self) -> float:
        """Wait before the next attempt: between 0 and a bound that doubles with each call."""
        bound_s = min(self._bound_s, self._max_s)
        self._bound_s = min(2.0 * bound_s, self._max_s)
        return bound_s * self._draw()

    def reset(self) -> None:
        """Restart at the first bound; call it after a stable period, not at the first success."""
        self._bound_s = self._first_s
