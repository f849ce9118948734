"""Clock synchronisation by the return value of adjtimex(2), checked against the kernel's status flags."""

import ctypes
import sys

import pytest

from fer_edge.daemon.host import is_synchronised

STATUS = 40  # offset of `status` in struct timex on 64-bit systems, after modes, offset, freq, maxerror and esterror
STA_UNSYNC, STA_CLOCKERR = 0x0040, 0x1000  # <sys/timex.h>


@pytest.mark.parametrize(("state", "trusted"), [(0, True), (1, True), (4, True), (5, False), (-1, False)])
def test_clock_is_trusted_only_in_a_synchronised_state(state: int, *, trusted: bool) -> None:
    queries: list[bytes] = []

    def adjtimex(timex: object) -> int:
        queries.append(bytes(timex)[:4])  # type: ignore[call-overload]
        return state

    assert is_synchronised(adjtimex) is trusted
    assert queries == [b"\0\0\0\0"]  # no mode bits: a query that sets nothing


def test_return_value_agrees_with_the_kernel_s_flags() -> None:
    libc, results = ctypes.CDLL(None), []

    def adjtimex(timex: ctypes.Array[ctypes.c_char]) -> int:
        results.append((libc.adjtimex(timex), int.from_bytes(timex.raw[STATUS : STATUS + 4], sys.byteorder)))
        return results[-1][0]

    trusted = is_synchronised(adjtimex)
    ((state, flags),) = results
    assert trusted == (state >= 0 and not flags & (STA_UNSYNC | STA_CLOCKERR))
    assert is_synchronised() == trusted  # the real call, without this wrapper
