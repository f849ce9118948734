"""Host metrics from the kernel: clock, memory, CPU, temperature. Linux only; None where a device has no such value."""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

# struct timex is smaller than this on every architecture; its first member is `modes`, 0 for a query.
TIMEX_BYTES = 512
TIME_ERROR = 5  # <sys/timex.h>: the clock is not synchronised
_libc = ctypes.CDLL(None, use_errno=True)
MIB = 1024 * 1024
THERMAL_ZONE = Path("/sys/class/thermal/thermal_zone0/temp")  # millidegrees; the SoC on every Raspberry Pi
# The Pi firmware's flags; bits 0 to 3: now; bits 16 to 19: since boot.
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
PI_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
THROTTLED_NOW = 0b1111


def is_synchronised(adjtimex: Callable[[ctypes.Array[ctypes.c_char]], int] = _libc.adjtimex) -> bool:
    """Return whether a time service (NTP, PTP or the like) disciplines the kernel's clock.

    False where adjtimex(2) is forbidden.
    """
    return 0 <= adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) < TIME_ERROR


class ResourceUse(msgspec.Struct, frozen=True):
    """Resident memory, and CPU time in percent of one core since the last sample."""

    rss_bytes: int
    cpu_percent: float


class ProcessUse:
    """CPU time of this process between two samples. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._sampled_at = now
        self._cpu_s = time.process_time()

    def since_last(self, now: float) -> ResourceUse:
        """Return the memory now and the CPU time since the last call."""
        cpu_s = time.process_time()
        percent = 100.0 * (cpu_s - self._cpu_s) / max(now - self._sampled_at, 1e-9)
        self._sampled_at, self._cpu_s = now, cpu_s
        return ResourceUse(rss_bytes=resident_bytes(), cpu_percent=percent)


def resident_bytes(process: int | str = "self") -> int:
    """Return the resident memory of this process, or of the one with that id."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def soc_temperature_c(zone: Path = THERMAL_ZONE) -> float | None:
    """Return the SoC's temperature in °C."""
    try:
        return int(zone.read_text()) / 1000.0
    except (OSError, ValueError):
        return None


def is_throttled(flags: Path = PI_THROTTLED) -> bool | None:
    """Return whether a Raspberry Pi is throttled now, for heat or undervoltage."""
    try:
        return bool(int(flags.read_text(), 16) & THROTTLED_NOW)
    except (OSError, ValueError):
        return None
