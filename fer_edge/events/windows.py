"""Closes a summary's window whenever its time is over: a witness of the pipeline."""

from collections.abc import Callable, Sequence

from fer_edge.events.lifecycle import Decision
from fer_edge.events.summary import Summary
from fer_edge.types import Event, Face, Frame, Window


class Windows:
    """Not thread-safe; the main thread owns it. ``tell`` gets each window that is over, ``length_s`` is theirs."""

    def __init__(self, tell: Callable[[Window], None], length_s: float, now: float, least_s: float = 0.0) -> None:
        """A last window of less than ``least_s`` is not told."""
        self.length_s = length_s
        self._least_s = least_s
        self._tell = tell
        self._summary = Summary(now)
        self._began = now

    def looked(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Counts a frame."""
        self._summary.add(decision.verdicts, now)
        self._pass(now)

    def waited(self, _decision: Decision, now: float) -> None:
        """Time passes without a frame."""
        self._pass(now)

    def closed(self, _events: Sequence[Event], _reason: str, now: float) -> None:
        """Nobody is there any more; the window goes on."""
        self._pass(now)

    def end(self, now: float) -> None:
        """Closes the last window, which is shorter than the others."""
        if now > self._began and now - self._began >= self._least_s:
            self._close(now)

    def _pass(self, now: float) -> None:
        if now - self._began >= self.length_s:
            self._close(now)

    def _close(self, now: float) -> None:
        self._tell(self._summary.close(now))
        self._began = now
