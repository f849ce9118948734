"""Fewer frames while the device is too hot: what is not looked at is the only heat that this program can save.

A Raspberry Pi that reaches its limit lowers its clock for everything that runs on it. Looking at every second or
fourth frame costs little here, because everything is decided in seconds, and leaves the rest of the board its speed.
"""

import logging
from collections.abc import Callable

from fer_edge.daemon.host import soc_temperature_c, throttled

LOOK_S = 5.0  # heat is looked at so often; it takes some microseconds, and moves slowly
SLOWER_S, FASTER_S = 15.0, 60.0  # between two steps: a step shows in some seconds, and cooling must last
COOL_C = 5.0  # degrees below `hot_c` from which it is cool: the distance keeps it from swinging
SLOWEST = 4  # one frame of so many is looked at all the same
LONGEST_GAP_S = 0.25  # as long as decide lets one frame vouch for: at low rates none more is left out

logger = logging.getLogger(__name__)


class ThermalThrottle:
    """Whether a frame is to be looked at. Not thread-safe; the main thread owns it."""

    def __init__(
        self,
        hot_c: float,
        temperature_c: Callable[[], float | None] = soc_temperature_c,
        held_back: Callable[[], bool | None] = throttled,
    ) -> None:
        """``hot_c`` is degrees Celsius; a device that tells neither heat nor that it holds itself back is never hot."""
        self._hot_c = hot_c
        self._temperature_c, self._held_back = temperature_c, held_back
        self._every = 1
        self._left_out = 0  # frames since the latest that was admitted
        self._admitted_at = self._looked_at = self._changed_at = float("-inf")
        self.text = ""
        """What is wrong, in one line for people; empty while every frame is looked at."""

    def admits(self, captured_at: float) -> bool:
        """Whether to look at a frame of that moment, monotonic seconds."""
        if captured_at - self._looked_at >= LOOK_S:
            self._looked_at = captured_at
            self._look(captured_at)
        self._left_out += 1
        if self._left_out < self._every and captured_at - self._admitted_at < LONGEST_GAP_S:
            return False
        self._left_out, self._admitted_at = 0, captured_at
        return True

    def _look(self, now: float) -> None:
        """One step slower where it is hot, one faster where it has been cool, each once its time has come."""
        heat, held_back = self._temperature_c(), self._held_back()
        hot = held_back is True or (heat is not None and heat >= self._hot_c)
        cool = not held_back and (heat is None or heat < self._hot_c - COOL_C)
        since_s = now - self._changed_at
        if hot and self._every < SLOWEST and since_s >= SLOWER_S:
            self._change(self._every * 2, now, heat)
        elif cool and self._every > 1 and since_s >= FASTER_S:
            self._change(self._every // 2, now, heat)

    def _change(self, every: int, now: float, heat: float | None) -> None:
        self._every, self._changed_at = every, now
        why = "the board holds itself back" if heat is None else f"the processor has {heat:.0f} degrees Celsius"
        if every == 1:
            self.text = ""
            logger.info("cool again: looking at every frame")
            return
        self.text = f"{why}: leaving out up to {every - 1} of {every} frames"
        logger.warning("%s", self.text)
