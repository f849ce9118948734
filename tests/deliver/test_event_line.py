"""Stories of events that wait: numbers are seqs, `gap 2-5` is a gap."""

from itertools import count

from msgspec.structs import replace

from fer_edge.deliver.event_line import EventLine
from fer_edge.values import Message


def event(seq: int, expiry_s: int | None = None) -> Message:
    return Message("event", str(seq).encode(), seq=seq, expiry_s=expiry_s)


def gap(first: int, last: int, reason: str) -> Message:
    return Message("event", f"gap {first}-{last} {reason}".encode(), seq=last)


def mark_late(message: Message) -> Message:
    return replace(message, payload=message.payload + b" late")


def make(capacity: int = 100) -> EventLine:
    return EventLine(capacity, gap, mark_late, count(1))


def put(line: EventLine, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        line.put(event(seq), now=0.0)


def sent(line: EventLine, room: int = 20) -> dict[str, int]:
    """What is due, as payload: key."""
    return {parcel.message.payload.decode(): parcel.key for parcel in line.due(room, now=0.0)}


def test_events_are_sent_once_in_their_order_and_leave_when_acknowledged():
    line = make()
    put(line, 1, 3)
    keys = sent(line)
    assert list(keys) == ["1", "2", "3"]
    assert sent(line) == {}
    assert not line.idle()
    for key in keys.values():
        line.acknowledged(key)
    assert (len(line), line.sent, line.idle()) == (0, 3, True)


def test_no_more_are_sent_than_there_is_room_for():
    line = make()
    put(line, 1, 30)
    keys = sent(line, room=20)
    assert list(keys) == [str(seq) for seq in range(1, 21)]
    line.acknowledged(keys["1"])
    assert list(sent(line, room=1)) == ["21"]


def test_what_was_not_acknowledged_is_sent_again_late_and_in_order_on_the_next_link():
    line = make()
    put(line, 1, 3)
    keys = sent(line, room=2)
    line.acknowledged(keys["1"])
    line.land()
    put(line, 4, 4)
    line.recall()
    put(line, 5, 5)
    assert list(sent(line)) == ["2 late", "3 late", "4 late", "5"]


def test_acknowledgement_of_an_earlier_link_is_not_taken_for_this_one_s():
    line = make()
    put(line, 1, 1)
    old = sent(line)["1"]
    line.land()
    line.recall()
    new = sent(line)["1 late"]
    line.acknowledged(old)
    assert len(line) == 1
    line.acknowledged(new)
    assert len(line) == 0


def test_full_line_drops_the_oldest_and_one_gap_grows_in_their_place():
    line = make(capacity=4)
    put(line, 1, 4)
    assert line.dropped == 0
    put(line, 5, 5)
    assert (len(line), line.dropped) == (4, 2)
    put(line, 6, 9)
    assert (len(line), line.dropped) == (4, 6)
    assert list(sent(line)) == ["gap 1-6 queue_full", "7"]  # at most half of the capacity is on its way


def test_what_is_on_its_way_is_not_dropped():
    line = make(capacity=4)
    put(line, 1, 2)
    keys = sent(line)
    put(line, 3, 9)
    assert (len(line), line.dropped) == (4, 6)
    for key in keys.values():
        line.acknowledged(key)
    assert list(sent(line)) == ["gap 3-8 queue_full", "9"]


def test_gap_that_grows_after_it_was_sent_is_worded_anew():
    line = make(capacity=4)
    put(line, 1, 5)
    assert list(sent(line)) == ["gap 1-2 queue_full", "3"]
    line.land()
    put(line, 6, 6)
    line.recall()
    assert list(sent(line)) == ["gap 1-3 queue_full", "4 late"]


def test_every_seq_is_sent_or_named_whatever_is_dropped():
    line = make(capacity=10)
    put(line, 1, 7)
    sent(line, room=3)
    line.land()
    put(line, 8, 57)
    line.recall()
    told = []
    while keys := sent(line):
        for payload, key in keys.items():
            told.append(payload)
            line.acknowledged(key)
    assert told == ["gap 1-48 queue_full", *[f"{seq} late" for seq in range(49, 58)]]


def test_refused_events_become_one_gap_that_waits_for_the_next_event():
    line = make()
    put(line, 1, 3)
    for key in sent(line).values():
        line.refused(key)
    assert (line.refusals, len(line)) == (3, 1)
    assert sent(line) == {}  # or it would be sent and refused in a circle
    assert line.idle()
    put(line, 4, 4)
    assert not line.idle()
    keys = sent(line)
    assert list(keys) == ["gap 1-3 refused", "4"]
    for key in keys.values():
        line.refused(key)
    assert (line.refusals, len(line)) == (4, 1)
    put(line, 5, 5)
    assert list(sent(line)) == ["gap 1-4 refused", "5"]


def test_refusals_out_of_order_end_in_one_gap():
    line = make()
    put(line, 1, 3)
    keys = sent(line)
    line.refused(keys["3"])
    line.refused(keys["1"])
    assert len(line) == 3
    line.refused(keys["2"])
    put(line, 4, 4)
    assert list(sent(line)) == ["gap 1-3 refused", "4"]


def test_refused_gap_is_tried_once_on_the_next_link():
    line = make()
    put(line, 1, 1)
    line.refused(sent(line)["1"])
    line.land()
    line.recall()
    keys = sent(line)
    assert list(keys) == ["gap 1-1 refused"]
    line.acknowledged(keys["gap 1-1 refused"])
    assert (len(line), line.sent) == (0, 0)  # a gap is no event


def test_expiry_that_is_left_is_what_remains_of_it():
    line = make()
    line.put(event(1, expiry_s=60), now=100.0)
    line.put(event(2, expiry_s=60), now=155.0)
    line.put(event(3), now=155.0)
    assert [parcel.message.expiry_s for parcel in line.due(20, now=170.5)] == [1, 45, None]


def test_refused_gap_beside_a_full_line_is_swallowed_by_its_gap():
    line = make(capacity=4)
    put(line, 1, 2)
    for key in sent(line).values():
        line.refused(key)
    put(line, 3, 8)
    assert len(line) == 4
    assert list(sent(line)) == ["gap 1-5 queue_full", "6"]
    assert (line.dropped, line.refusals) == (3, 2)
