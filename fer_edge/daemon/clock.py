"""Whether the wall clock can be believed: a Raspberry Pi has no battery-backed clock and may boot weeks off."""

import ctypes
from collections.abc import Callable

# struct timex is smaller than this on every architecture; its first member is `modes`, and all zero only asks.
TIMEX_BYTES = 512
TIME_ERROR = 5  # <sys/timex.h>: the clock is not synchronised

_libc = ctypes.CDLL(None, use_errno=True)


def is_synchronised(adjtimex: Callable[[ctypes.Array[ctypes.c_char]], int] = _libc.adjtimex) -> bool:
    """Whether the kernel knows its clock to be disciplined by a time service (NTP, PTP or the like).

    The call returns the state of the clock, see adjtimex(2); where it is forbidden the clock is not trusted.
    """
    return 0 <= adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) < TIME_ERROR
