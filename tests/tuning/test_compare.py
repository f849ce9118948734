"""Differences of two lists of events."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.tuning.replay import compare
from fer_edge.types import Box, Event, EventKind


def event(at: float, emotion: str | None = "happy", face: int = 1, kind: EventKind = EventKind.CHANGED) -> Event:
    return Event(kind, at, face, Box(0, 0, 1, 1), emotion, 0.9, np.zeros(7, np.float32))


def test_same_event_at_the_same_time_is_kept_and_a_second_later_it_is_moved() -> None:
    compared = compare([event(1.0), event(10.0)], [event(1.0), event(11.0)])
    assert [one.at for one in compared.kept] == [1.0]
    assert [(one.at, other.at) for one, other in compared.moved] == [(10.0, 11.0)]
    assert (compared.new, compared.gone) == ((), ())


def test_another_face_expression_kind_or_distant_time_is_another_event() -> None:
    for other in (event(1.0, face=2), event(1.0, "sad"), event(1.0, kind=EventKind.APPEARED), event(7.0)):
        compared = compare([event(1.0)], [other])
        assert (compared.new, compared.gone) == ((other,), compared.gone)
        assert len(compared.gone) == 1


def test_each_is_paired_with_the_nearest() -> None:
    compared = compare([event(1.0), event(3.0)], [event(3.2)])
    assert [(one.at, other.at) for one, other in compared.moved] == [(3.0, 3.2)]
    assert [one.at for one in compared.gone] == [1.0]


moments = st.lists(st.floats(0, 30), max_size=12).map(lambda times: [event(at) for at in sorted(times)])


@given(moments, moments)
def test_every_event_of_either_side_is_in_exactly_one_group(before: list[Event], after: list[Event]) -> None:
    compared = compare(before, after)
    assert len(compared.kept) + len(compared.moved) + len(compared.gone) == len(before)
    assert len(compared.kept) + len(compared.moved) + len(compared.new) == len(after)
