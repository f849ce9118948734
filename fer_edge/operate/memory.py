"""Memory that was needed only to start goes back to the system. See docs/decisions/004."""

import ctypes
from pathlib import Path

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
