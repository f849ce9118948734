"""Memory: what was needed only to start goes back to the system (docs/decisions/004), and what is held has a bound.

The bound is the daemon's own because Raspberry Pi OS boots with the kernel's memory controller switched off: there
`MemoryMax=` of the unit does nothing, and a leak would end in swapping until the device hangs.
"""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

from fer_edge.daemon.host import resident_bytes

LOOK_S = 5.0  # memory is looked at so often; reading it takes some microseconds
MAPS = Path("/proc/self/maps")
MADV_DONTNEED = 4  # <asm-generic/mman-common.h>

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def release_unused() -> None:
    """Gives back free heap, and the code of libraries that ran once; what is still in use returns by itself.

    Takes some milliseconds, and as many again until the code in use is mapped again, so it is done once.
    """
    trim = getattr(_libc, "malloc_trim", None)  # glibc's; other C libraries give memory back unasked
    if trim is not None:
        trim(0)
    for start, length in code_mappings(MAPS.read_text()):
        _libc.madvise(start, length, MADV_DONTNEED)


class MemoryBound:
    """Whether this process holds more than it may even after it gave back what it could. Not thread-safe."""

    def __init__(
        self, limit_bytes: int, held: Callable[[], int] = resident_bytes, give_back: Callable[[], object] | None = None
    ) -> None:
        self._limit_bytes = limit_bytes
        self._held = held
        self._give_back = give_back or _collect
        self._next_at = float("-inf")

    def passed(self, now: float) -> int | None:
        """The bytes held at ``now`` (monotonic seconds) where they are too many; None while all is well."""
        if now < self._next_at:
            return None
        self._next_at = now + LOOK_S
        if self._held() <= self._limit_bytes:
            return None
        self._give_back()
        held = self._held()
        return held if held > self._limit_bytes else None


def code_mappings(maps: str) -> list[tuple[int, int]]:
    """(address, bytes) of each mapping of a file's code in ``maps``, the text of proc_pid_maps(5).

    Only private ones that can be executed and not written: their pages are the file's own, unchanged, so the kernel may
    read them again at any time. Read-only data is left alone, because the linker has written into some of it.
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
