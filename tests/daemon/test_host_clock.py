"""The kernel is asked whether its clock is right: by what it returns, and for real by what it says beside it."""

import ctypes
import sys

import pytest

from fer_edge.daemon.host import is_synchronised

STATUS = 40  # bytes into struct timex of a 64-bit system: modes, offset, freq, maxerror and esterror stand before it
STA_UNSYNC, STA_CLOCKERR = 0x0040, 0x1000  # <sys/timex.h>


@pytest.mark.parametrize(("state", "trusted"), [(0, True), (1, True), (4, True), (5, False), (-1, False)])
def test_clock_is_trusted_only_where_the_kernel_says_that_it_is_disciplined(state: int, *, trusted: bool) -> None:
    asked: list[bytes] = []

    def adjtimex(timex: object) -> int:
        asked.append(bytes(timex)[:4])  # type: ignore[call-overload]
        return state

    assert is_synchronised(adjtimex) is trusted
    assert asked == [b"\0\0\0\0"]  # no mode bits: the call asks and never sets


def test_real_kernel_s_answer_is_that_of_its_flags() -> None:
    libc, told = ctypes.CDLL(None), []

    def adjtimex(timex: ctypes.Array[ctypes.c_char]) -> int:
        told.append((libc.adjtimex(timex), int.from_bytes(timex.raw[STATUS : STATUS + 4], sys.byteorder)))
        return told[-1][0]

    trusted = is_synchronised(adjtimex)
    ((answer, flags),) = told
    assert trusted == (answer >= 0 and not flags & (STA_UNSYNC | STA_CLOCKERR))
    assert is_synchronised() == trusted  # asked without us in between
