"""The one slot between the capture thread and the main loop: the newest frame wins, what it replaces is counted."""

from threading import Condition

from fer_edge.types import Frame


class Mailbox:
    """Holds at most one frame. Thread-safe: one thread puts, another takes."""

    def __init__(self) -> None:
        self._filled = Condition()
        self._frame: Frame | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Frames that were replaced before anybody took them, since the start."""
        return self._dropped

    def put(self, frame: Frame) -> None:
        """Leave ``frame`` for the taker, in place of one that is still there."""
        with self._filled:
            if self._frame is not None:
                self._dropped += 1
            self._frame = frame
            self._filled.notify()

    def clear(self) -> None:
        """Forget the frame in the slot; it does not count as dropped."""
        with self._filled:
            self._frame = None

    def take(self, timeout_s: float) -> Frame | None:
        """The frame in the slot, or the next to arrive within ``timeout_s`` seconds, or None."""
        with self._filled:
            if self._frame is None:
                self._filled.wait_for(lambda: self._frame is not None, timeout_s)
            frame, self._frame = self._frame, None
            return frame
