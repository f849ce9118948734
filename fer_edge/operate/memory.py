"""Memory that was needed only to start goes back to the system."""

import ctypes

_libc = ctypes.CDLL(None)


def release_unused() -> None:
    """Gives free heap back to the kernel: reading models leaves about 5 MiB of it behind (benchmarks/pipeline.py).

    malloc_trim(3) is glibc's; another C library has no such habit to cure, and nothing is done.
    """
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
