"""Thermal throttling: skip frames while the device is too hot.

A Raspberry Pi at its temperature limit lowers its clock for all programs. Processing every second or fourth frame costs
little here, because all windows are in seconds, and keeps the clock up for the rest of the device.
"""

import logging
from collections.abc import Callable

from fer_edge.daemon.host import is_throttled, soc_temperature_c

CHECK_S = 5.0  # interval of temperature checks; one takes some microseconds
SLOWER_S, FASTER_S = 15.0, 60.0  # between two steps: a step takes effect in some seconds, and cooling must last
COOL_C = 5.0  # hysteresis: degrees below `hot_c` from which the device counts as cool
SLOWEST = 4  # at least one frame of so many is processed
LONGEST_GAP_S = 0.25  # the longest time a frame counts for in smoothing; no frame after such a gap is skipped

logger = logging.getLogger(__name__)


class ThermalThrottle:
    """Frame skipping by temperature. Not thread-safe; the main thread owns it."""

    def __init__(
        self,
        hot_c: float,
        temperature_c: Callable[[], float | None] = soc_temperature_c,
        throttled: Callable[[], bool | None] = is_throttled,
    ) -> None:
        """``hot_c`` in °C; a device without both values is never hot."""
        self._hot_c = hot_c
        self._temperature_c, self._throttled = temperature_c, throttled
        self._every = 1
        self._skipped = 0  # frames since the latest admitted one
        self._admitted_at = self._checked_at = self._changed_at = float("-inf")
        self.text = ""
        """Reason and rate of skipped frames, one line; empty while every frame is processed."""

    def admits(self, captured_at: float) -> bool:
        """Return whether to process a frame of that time, monotonic seconds."""
        if captured_at - self._checked_at >= CHECK_S:
            self._checked_at = captured_at
            self._check(captured_at)
        self._skipped += 1
        if self._skipped < self._every and captured_at - self._admitted_at < LONGEST_GAP_S:
            return False
        self._skipped, self._admitted_at = 0, captured_at
        return True

    def _check(self, now: float) -> None:
        """Take a step down while hot, a step up after cooling, each after its interval."""
        temperature_c, throttled = self._temperature_c(), self._throttled()
        hot = throttled is True or (temperature_c is not None and temperature_c >= self._hot_c)
        cool = not throttled and (temperature_c is None or temperature_c < self._hot_c - COOL_C)
        since_s = now - self._changed_at
        if hot and self._every < SLOWEST and since_s >= SLOWER_S:
            self._change(self._every * 2, now, None if throttled else temperature_c)
        elif cool and self._every > 1 and since_s >= FASTER_S:
            self._change(self._every // 2, now, temperature_c)

    def _change(self, every: int, now: float, temperature_c: float | None) -> None:
        self._every, self._changed_at = every, now
        reason = "the CPU is throttled" if temperature_c is None else f"CPU temperature {temperature_c:.0f} °C"
        if every == 1:
            self.text = ""
            logger.info("CPU cool again: processing every frame")
            return
        self.text = f"{reason}: skipping up to {every - 1} of {every} frames"
        logger.warning("%s", self.text)
