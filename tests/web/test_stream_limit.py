"""Limit of concurrent streams."""

from fer_edge.web.stream import StreamLimit


def test_seat_is_refused_when_all_are_taken_and_free_again_when_one_leaves() -> None:
    seats = StreamLimit(2)
    assert [seats.acquire(), seats.acquire(), seats.acquire()] == [True, True, False]
    assert seats.taken == 2
    seats.release()
    assert seats.acquire()
