"""What the kernel tells of this process and this device. Linux only; what a device does not tell is None."""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

# struct timex is smaller than this on every architecture; its first member is `modes`, and all zero only asks.
TIMEX_BYTES = 512
TIME_ERROR = 5  # <sys/timex.h>: the clock is not synchronised
_libc = ctypes.CDLL(None, use_errno=True)
MIB = 1024 * 1024
THERMAL_ZONE = Path("/sys/class/thermal/thermal_zone0/temp")  # millidegrees; the SoC on every Raspberry Pi
# The Pi firmware's flags; bits 0 to 3 are what is so now, bits 16 to 19 what was so since boot.
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
PI_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
THROTTLED_NOW = 0b1111


def is_synchronised(adjtimex: Callable[[ctypes.Array[ctypes.c_char]], int] = _libc.adjtimex) -> bool:
    """Whether the kernel knows its clock to be disciplined by a time service (NTP, PTP or the like).

    The call returns the state of the clock, see adjtimex(2); where it is forbidden the clock is not trusted.
    """
    return 0 <= adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) < TIME_ERROR


class ResourceUse(msgspec.Struct, frozen=True):
    """Memory held now, and processor time as percent of one core since the last look."""

    rss_bytes: int
    cpu_percent: float


class ProcessUse:
    """Measures this process between two looks. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._cpu_s = time.process_time()

    def since_last(self, now: float) -> ResourceUse:
        """The memory now and the processor time since the last call."""
        cpu_s = time.process_time()
        percent = 100.0 * (cpu_s - self._cpu_s) / max(now - self._looked_at, 1e-9)
        self._looked_at, self._cpu_s = now, cpu_s
        return ResourceUse(rss_bytes=resident_bytes(), cpu_percent=percent)


def resident_bytes(process: int | str = "self") -> int:
    """Resident memory of this process, or of the one with that id."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def soc_temperature_c(zone: Path = THERMAL_ZONE) -> float | None:
    """The SoC's temperature in degrees Celsius."""
    try:
        return int(zone.read_text()) / 1000.0
    except (OSError, ValueError):
        return None


def throttled(flags: Path = PI_THROTTLED) -> bool | None:
    """Whether a Raspberry Pi holds itself back now for heat or too low a voltage."""
    try:
        return bool(int(flags.read_text(), 16) & THROTTLED_NOW)
    except (OSError, ValueError):
        return None
