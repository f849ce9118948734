"""Two lists of events beside each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.tuning.replay import compare
from fer_edge.types import Box, Event, EventKind


def event(at: float, emotion: str | None = "happy", face: int = 1, kind: EventKind = EventKind.CHANGED) -> Event:
    return Event(kind, at, face, Box(0, 0, 1, 1), emotion, 0.9, np.zeros(7, np.float32))


def test_same_event_at_the_same_time_is_kept_and_a_second_later_it_is_moved() -> None:
    told = compare([event(1.0), event(10.0)], [event(1.0), event(11.0)])
    assert [one.at for one in told.kept] == [1.0]
    assert [(one.at, other.at) for one, other in told.moved] == [(10.0, 11.0)]
    assert (told.new, told.gone) == ((), ())


def test_another_face_expression_kind_or_distant_time_is_another_event() -> None:
    for other in (event(1.0, face=2), event(1.0, "sad"), event(1.0, kind=EventKind.APPEARED), event(7.0)):
        told = compare([event(1.0)], [other])
        assert (told.new, told.gone) == ((other,), told.gone)
        assert len(told.gone) == 1


def test_each_is_paired_with_the_nearest() -> None:
    told = compare([event(1.0), event(3.0)], [event(3.2)])
    assert [(one.at, other.at) for one, other in told.moved] == [(3.0, 3.2)]
    assert [one.at for one in told.gone] == [1.0]


moments = st.lists(st.floats(0, 30), max_size=12).map(lambda times: [event(at) for at in sorted(times)])


@given(moments, moments)
def test_every_event_of_either_side_is_in_exactly_one_group(before: list[Event], after: list[Event]) -> None:
    told = compare(before, after)
    assert len(told.kept) + len(told.moved) + len(told.gone) == len(before)
    assert len(told.kept) + len(told.moved) + len(told.new) == len(after)
