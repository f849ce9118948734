"""Memory: release of what only the start needed (docs/decisions/004), and the limit `memory_max_mib`.

The daemon checks the limit itself because Raspberry Pi OS boots with the kernel's memory controller switched off. There
the unit's `MemoryMax=` has no effect, and a leak would make the device swap until it hangs.
"""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

from fer_edge.daemon.host import resident_bytes

CHECK_S = 5.0  # interval of memory checks; one takes some microseconds
MAPS = Path("/proc/self/maps")
MADV_DONTNEED = 4  # <asm-generic/mman-common.h>

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def release_unused() -> None:
    """Release free heap and mapped library code; the kernel maps code in use again on access.

    Takes some milliseconds, and as many for mapping it again: call it once.
    """
    trim = getattr(_libc, "malloc_trim", None)  # glibc only; other C libraries release memory by themselves
    if trim is not None:
        trim(0)
    for start, length in code_mappings(MAPS.read_text()):
        _libc.madvise(start, length, MADV_DONTNEED)


class MemoryLimit:
    """Memory limit of this process. Not thread-safe."""

    def __init__(
        self,
        limit_bytes: int,
        resident: Callable[[], int] = resident_bytes,
        release: Callable[[], object] | None = None,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._resident = resident
        self._release = release or _collect
        self._next_at = float("-inf")

    def exceeded(self, now: float) -> int | None:
        """Return the resident bytes if they exceed the limit even after a release; ``now`` in monotonic seconds."""
        if now < self._next_at:
            return None
        self._next_at = now + CHECK_S
        if self._resident() <= self._limit_bytes:
            return None
        self._release()
        resident = self._resident()
        return resident if resident > self._limit_bytes else None


def code_mappings(maps: str) -> list[tuple[int, int]]:
    """Return (address, bytes) of each mapping of a file's code in ``maps``, the text of proc_pid_maps(5).

    Only private, executable, unwritable mappings: the kernel can read their unchanged pages from the file again.
    Read-only data is left out, because the linker has written into some of it.
    """
    found = []
    for line in maps.splitlines():
        extent, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights == "r-xp" and name and name[0].startswith("/"):
            start, _, end = extent.partition("-")
            found.append((int(start, 16), int(end, 16) - int(start, 16)))
    return found


def _collect() -> None:
    gc.collect()
    release_unused()
