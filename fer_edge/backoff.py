"""How long to wait before the next attempt at something that failed: exponential backoff with full jitter.

Full jitter (a uniform draw between nothing and the bound) spreads a house full of devices that lost the same broker
or the same network best: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from collections.abc import Callable


class Backoff:
    """The waits between attempts, in seconds. Not thread-safe; the thread that makes the attempts owns it."""

    def __init__(self, first_s: float, max_s: float, draw: Callable[[], float]) -> None:
        """Let the bound start at ``first_s`` and double up to ``max_s``; ``draw`` gives a number from 0 to below 1."""
        self._first_s = first_s
        self._max_s = max_s
        self._draw = draw
        self._bound_s = first_s

    def next_s(self) -> float:
        """The wait before the next attempt: between 0 and a bound that doubles with each call."""
        bound_s = min(self._bound_s, self._max_s)
        self._bound_s = min(2.0 * bound_s, self._max_s)
        return bound_s * self._draw()

    def reset(self) -> None:
        """Begin again at the first bound; to be called when things have gone well for a while, not at once."""
        self._bound_s = self._first_s
