"""Stories of events that wait: numbers are seqs, `gap 2-5` is a gap."""

from itertools import count

import pytest
from msgspec.structs import replace

from fer_edge.deliver.entry import Entry, Limits
from fer_edge.deliver.event_line import EventLine
from fer_edge.deliver.mirror import Mirror
from fer_edge.values import Message


def event(seq: int, expiry_s: int | None = None, *, spare: bool = False) -> Message:
    return Message("event", str(seq).encode(), seq=seq, expiry_s=expiry_s, spare=spare)


def gap(_boot: str, first: int, last: int, reason: str) -> Message:
    return Message("event", f"gap {first}-{last} {reason}".encode(), seq=last)


def mark_late(message: Message) -> Message:
    return replace(message, payload=message.payload + b" late")


def make(capacity: int = 100) -> EventLine:
    return EventLine(Limits(events=capacity), gap, mark_late, count(1), Mirror(wanted=False))


def put(line: EventLine, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        line.put(event(seq), now=0.0)


def sent(line: EventLine, room: int = 20) -> dict[str, int]:
    """What is due, as payload: key."""
    return {parcel.message.payload.decode(): parcel.key for parcel in line.due(room, now=0.0)}


def sent_all(line: EventLine) -> list[str]:
    """Everything that is due, acknowledged as it goes."""
    told = []
    while keys := sent(line):
        for payload, key in keys.items():
            told.append(payload)
            line.acknowledged(key, 0.0)
    return told


def test_events_are_sent_once_in_their_order_and_leave_when_acknowledged():
    line = make()
    put(line, 1, 3)
    keys = sent(line)
    assert list(keys) == ["1", "2", "3"]
    assert sent(line) == {}
    assert not line.idle()
    for key in keys.values():
        line.acknowledged(key, 0.0)
    assert (len(line), line.sent, line.idle()) == (0, 3, True)


def test_no_more_are_sent_than_there_is_room_for():
    line = make()
    put(line, 1, 30)
    keys = sent(line, room=20)
    assert list(keys) == [str(seq) for seq in range(1, 21)]
    line.acknowledged(keys["1"], 0.0)
    assert list(sent(line, room=1)) == ["21"]


def test_what_was_not_acknowledged_is_sent_again_late_and_in_order_on_the_next_link():
    line = make()
    put(line, 1, 3)
    keys = sent(line, room=2)
    line.acknowledged(keys["1"], 0.0)
    line.land()
    put(line, 4, 4)
    line.recall(0.0)
    put(line, 5, 5)
    assert list(sent(line)) == ["2 late", "3 late", "4 late", "5"]


def test_acknowledgement_of_an_earlier_link_is_not_taken_for_this_one_s():
    line = make()
    put(line, 1, 1)
    old = sent(line)["1"]
    line.land()
    line.recall(0.0)
    new = sent(line)["1 late"]
    line.acknowledged(old, 0.0)
    assert len(line) == 1
    line.acknowledged(new, 0.0)
    assert len(line) == 0


def test_full_line_drops_the_oldest_and_one_gap_grows_in_their_place():
    line = make(capacity=4)
    put(line, 1, 4)
    assert line.dropped == 0
    put(line, 5, 5)
    assert (len(line), line.dropped) == (5, 1)  # the gap takes no room
    put(line, 6, 9)
    assert line.dropped == 5
    assert list(sent(line)) == ["gap 1-5 queue_full", "6"]  # at most half of the capacity is on its way
    assert len(line) == 5


def test_what_is_on_its_way_is_not_dropped():
    line = make(capacity=4)
    put(line, 1, 2)
    keys = sent(line)
    put(line, 3, 9)
    assert line.dropped == 5
    for key in keys.values():
        line.acknowledged(key, 0.0)
    assert list(sent(line)) == ["gap 3-7 queue_full", "8"]


def test_gap_that_grows_after_it_was_sent_is_worded_anew():
    line = make(capacity=4)
    put(line, 1, 5)
    assert list(sent(line)) == ["gap 1-1 queue_full", "2"]
    line.land()
    put(line, 6, 6)
    line.recall(0.0)
    assert list(sent(line)) == ["gap 1-2 queue_full", "3 late"]


def test_every_seq_is_sent_or_named_whatever_is_dropped():
    line = make(capacity=10)
    put(line, 1, 7)
    sent(line, room=3)
    line.land()
    put(line, 8, 57)
    line.recall(0.0)
    told = []
    while keys := sent(line):
        for payload, key in keys.items():
            told.append(payload)
            line.acknowledged(key, 0.0)
    assert told == ["gap 1-47 queue_full", *[f"{seq} late" for seq in range(48, 58)]]


def test_refused_events_become_one_gap_that_waits_for_the_next_event():
    line = make()
    put(line, 1, 3)
    for key in sent(line).values():
        line.refused(key, 0.0)
    assert (line.refusals, len(line)) == (3, 1)
    assert sent(line) == {}  # or it would be sent and refused in a circle
    assert line.idle()
    put(line, 4, 4)
    assert not line.idle()
    keys = sent(line)
    assert list(keys) == ["gap 1-3 refused", "4"]
    for key in keys.values():
        line.refused(key, 0.0)
    assert (line.refusals, len(line)) == (4, 1)
    put(line, 5, 5)
    assert list(sent(line)) == ["gap 1-4 refused", "5"]


def test_refusals_out_of_order_end_in_one_gap():
    line = make()
    put(line, 1, 3)
    keys = sent(line)
    line.refused(keys["3"], 0.0)
    line.refused(keys["1"], 0.0)
    assert len(line) == 3
    line.refused(keys["2"], 0.0)
    put(line, 4, 4)
    assert list(sent(line)) == ["gap 1-3 refused", "4"]


def test_refused_gap_is_tried_once_on_the_next_link():
    line = make()
    put(line, 1, 1)
    line.refused(sent(line)["1"], 0.0)
    line.land()
    line.recall(0.0)
    keys = sent(line)
    assert list(keys) == ["gap 1-1 refused"]
    line.acknowledged(keys["gap 1-1 refused"], 0.0)
    assert (len(line), line.sent) == (0, 0)  # a gap is no event


def test_expiry_that_is_left_is_what_remains_of_it():
    line = make()
    line.put(event(1, expiry_s=60), now=100.0)
    line.put(event(2, expiry_s=60), now=155.0)
    line.put(event(3), now=155.0)
    assert [parcel.message.expiry_s for parcel in line.due(20, now=159.5)] == [1, 56, None]
    assert line.due(20, now=159.5) == []


def test_refused_gap_beside_a_full_line_is_swallowed_by_its_gap():
    line = make(capacity=4)
    put(line, 1, 2)
    for key in sent(line).values():
        line.refused(key, 0.0)
    put(line, 3, 8)
    assert list(sent(line)) == ["gap 1-2 refused", "gap 3-4 queue_full"]
    assert (line.dropped, line.refusals) == (2, 2)


def test_changes_of_emotion_go_before_who_came_and_who_left():
    line = make(capacity=4)
    for seq in range(1, 9):
        line.put(event(seq, spare=seq % 2 == 0), now=0.0)  # even ones are changes
    assert sent_all(line) == [
        "1",
        "gap 2-2 queue_full",
        "3",
        "gap 4-4 queue_full",
        "5",
        "gap 6-6 queue_full",
        "7",
        "gap 8-8 queue_full",
    ]
    put(line, 9, 13)  # only firm ones are left: the oldest of them goes
    assert sent_all(line) == ["gap 9-9 queue_full", "10", "11", "12", "13"]


def test_line_is_bounded_by_bytes_as_well():
    line = EventLine(Limits(events=100, size_bytes=1000), gap, mark_late, count(1), Mirror(wanted=False))
    put(line, 1, 9)  # each counts as 256 bytes and its payload
    assert line.dropped == 6
    assert sent_all(line) == ["gap 1-6 queue_full", "7", "8", "9"]


def test_event_that_outlived_its_expiry_becomes_a_gap_and_younger_ones_stay():
    line = make()
    for seq, now in ((1, 0.0), (2, 1.0), (3, 50.0)):
        line.put(event(seq, expiry_s=60), now=now)
    line.put(event(4), now=50.0)
    assert [parcel.message.payload for parcel in line.due(20, now=61.0)] == [b"gap 1-2 expired", b"3", b"4"]
    assert line.dropped == 2


def test_memory_of_a_long_outage_stays_small_however_many_events_are_dropped():
    line = make(capacity=10)
    for seq in range(1, 5001):
        line.put(event(seq, spare=seq % 3 != 0), now=0.0)
    assert len(line) < 10 + 2 * 64 + 10
    assert sent_all(line)[0] == "gap 1-4970 queue_full"


def test_backlog_is_sent_at_its_pace_and_what_is_new_is_not_held_back():
    line = EventLine(Limits(events=100, replay_hz=20.0), gap, mark_late, count(1), Mirror(wanted=False))
    put(line, 1, 6)
    line.recall(0.0)
    assert [parcel.message.payload for parcel in line.due(20, now=0.0)] == [b"1 late", b"2 late"]  # a tenth of a second
    assert line.wait_s(18, 0.0) == pytest.approx(0.05)
    assert line.due(20, now=0.01) == []
    assert len(line.due(20, now=0.11)) == 2
    assert len(line.due(20, now=9.0)) == 2
    assert line.wait_s(14, 9.0) == float("inf")
    put(line, 7, 12)
    assert len(line.due(20, now=9.0)) == 6


def test_link_sleeps_while_a_refused_gap_waits_for_something_newer_and_wakes_for_it():
    line = make()
    put(line, 1, 1)
    line.recall(0.0)
    line.refused(sent(line)["1 late"], 0.0)
    assert line.wait_s(20, 5.0) == float("inf")
    put(line, 2, 2)
    assert line.wait_s(20, 5.0) == 0.0  # the gap may go in front of it


def test_link_sleeps_while_a_backlog_waits_for_a_broker_that_acknowledges_nothing():
    line = make()
    put(line, 1, 30)
    line.recall(0.0)
    keys = sent(line, room=20)
    assert line.wait_s(0, 5.0) == float("inf")
    line.acknowledged(keys["1 late"], 5.0)
    assert line.wait_s(1, 5.0) == 0.0


def test_link_sleeps_while_a_backlog_waits_for_the_disk():
    mirror = Mirror(wanted=True)
    line = EventLine(Limits(events=100), gap, mark_late, count(1), mirror)
    put(line, 1, 2)
    line.recall(0.0)
    assert line.wait_s(20, 5.0, stored_only=True) == float("inf")
    assert line.wait_s(20, 5.0) == 0.0
    mirror.written(mirror.take(0.0, 0.0), 0.0)
    assert line.wait_s(20, 5.0, stored_only=True) == 0.0


def test_what_is_owed_takes_no_room_and_neither_expires_nor_goes_when_it_is_refused():
    line = make(capacity=4)
    line.put(event(1), now=0.0, owed=True)
    for seq in range(2, 9):
        line.put(event(seq, expiry_s=60), now=0.0)
    assert line.dropped == 3
    (parcel,) = line.due(1, now=100.0)
    assert parcel.message.payload == b"1"
    line.refused(parcel.key, 100.0)
    assert (line.refusals, line.acknowledged_to) == (0, 0)
    parcels = line.due(20, now=100.0)
    assert [parcel.message.payload for parcel in parcels] == [b"gap 2-4 queue_full", b"gap 5-8 expired"]
    for parcel in parcels:
        line.acknowledged(parcel.key, 100.0)
    assert line.idle()
    put(line, 9, 9)
    keys = sent(line)
    assert list(keys) == ["1", "9"]
    line.acknowledged(keys["1"], 0.0)
    assert line.acknowledged_to == 8


def test_what_earlier_boots_left_and_is_found_late_goes_before_what_waits():
    line = EventLine(Limits(events=4), gap, mark_late, count(1), Mirror(wanted=False), boot="new")
    put(line, 1, 2)
    flying = sent(line, room=1)
    found = [
        Entry(row=row, boot="old", first=row, last=row, kept_at=0.0, message=event(row), late=True) for row in (7, 8, 9)
    ]
    line.precede(found)
    put(line, 3, 3)  # the oldest goes first where there is no room: the first two of the old boot
    line.acknowledged(flying["1"], 0.0)
    assert list(sent(line)) == ["gap 7-8 queue_full", "9 late"]
    for key in list(line._flying):
        line.acknowledged(key, 0.0)
    assert line.paid() == ["old"]
    assert list(sent(line)) == ["2", "3"]


def test_events_of_earlier_boots_go_first_and_are_told_when_they_are_done():
    waiting = [
        Entry(row=row, boot="old", first=row, last=row, kept_at=0.0, message=event(row), late=True) for row in (1, 2)
    ]
    line = EventLine(
        Limits(events=100), gap, mark_late, count(1), Mirror(wanted=False), boot="new", waiting=waiting, first_row=3
    )
    put(line, 1, 1)
    assert line.acknowledged_to is None
    keys = sent(line)
    assert list(keys) == ["1 late", "2 late", "1"]
    line.acknowledged(keys["1 late"], 0.0)
    assert line.paid() == []
    line.acknowledged(keys["2 late"], 0.0)
    assert (line.paid(), line.paid()) == (["old"], [])
    assert line.acknowledged_to == 0
    line.acknowledged(keys["1"], 0.0)
    assert line.acknowledged_to == 1


def test_event_waits_until_it_is_on_disk_where_that_is_asked_for():
    mirror = Mirror(wanted=True)
    line = EventLine(Limits(events=100), gap, mark_late, count(1), mirror)
    put(line, 1, 2)
    assert line.due(20, 0.0, stored_only=True) == []
    mirror.written(mirror.take(0.0, 0.0), 0.0)
    put(line, 3, 3)
    assert [parcel.message.payload for parcel in line.due(20, 0.0, stored_only=True)] == [b"1", b"2"]
