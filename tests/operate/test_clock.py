import pytest

from fer_edge.operate.clock import is_synchronised


@pytest.mark.parametrize(("state", "trusted"), [(0, True), (1, True), (4, True), (5, False), (-1, False)])
def test_clock_is_trusted_only_where_the_kernel_says_that_it_is_disciplined(state: int, *, trusted: bool) -> None:
    asked: list[bytes] = []

    def adjtimex(timex: object) -> int:
        asked.append(bytes(timex)[:4])  # type: ignore[call-overload]
        return state

    assert is_synchronised(adjtimex) is trusted
    assert asked == [b"\0\0\0\0"]  # no mode bits: the call asks and never sets


def test_real_kernel_answers() -> None:
    assert is_synchronised() in (True, False)
