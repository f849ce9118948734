"""How many may watch."""

from fer_edge.web.stream import StreamLimit


def test_seat_is_refused_when_all_are_taken_and_free_again_when_one_leaves() -> None:
    seats = StreamLimit(2)
    assert [seats.take(), seats.take(), seats.take()] == [True, True, False]
    assert seats.taken == 2
    seats.leave()
    assert seats.take()
