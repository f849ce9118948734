"""Stories of events that wait, in an outbox over a journal in memory: numbers are seqs, `gap 2-5` is a gap."""

import threading

import pytest
from msgspec.structs import replace

from fer_edge.mqtt.journal import DROP_NEXT, Journal, Limits, Run
from fer_edge.mqtt.outbox import MAX_MESSAGES, Outbox
from fer_edge.types import Message

TOPIC = "event"


def event(seq: int, expiry_s: int | None = None, *, droppable: bool = False) -> Message:
    return Message(TOPIC, str(seq).encode(), seq=seq, expiry_s=expiry_s, droppable=droppable)


def gap(_run: str, first: int, last: int, reason: str) -> Message:
    return Message(TOPIC, f"gap {first}-{last} {reason}".encode(), seq=last)


def mark_late(message: Message) -> Message:
    return replace(message, payload=message.payload + b" late")


def make(capacity: int = 100, journal: Journal | None = None, **limits: float) -> Outbox:
    journal = journal or Journal(None)
    if not journal.run.name:
        journal.begin(Run(number=7, name="aaaaaaaa"))
    return Outbox(journal, Limits(events=capacity, **limits), gap, mark_late, TOPIC)


def put(box: Outbox, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        box.put(event(seq), now=0.0)


def sent(box: Outbox, room: int = 20) -> dict[str, int]:
    """Return the due messages as payload: key."""
    return {parcel.message.payload.decode(): parcel.key for parcel in box.due(room, now=0.0)}


def sent_all(box: Outbox) -> list[str]:
    """Everything that is due, acknowledged as it goes."""
    told = []
    while keys := sent(box):
        for payload, key in keys.items():
            told.append(payload)
            box.acknowledged(key, 0.0)
    return told


def test_events_are_sent_once_in_their_order_and_leave_when_acknowledged():
    box = make()
    put(box, 1, 3)
    keys = sent(box)
    assert list(keys) == ["1", "2", "3"]
    assert sent(box) == {}
    assert not box.idle()
    for key in keys.values():
        box.acknowledged(key, 0.0)
    assert (box.tally().depth, box.tally().acknowledged, box.idle()) == (0, 3, True)


def test_no_more_are_sent_than_there_is_room_for():
    box = make()
    put(box, 1, 30)
    keys = sent(box, room=20)
    assert list(keys) == [str(seq) for seq in range(1, 21)]
    box.acknowledged(keys["1"], 0.0)
    assert list(sent(box, room=1)) == ["21"]


def test_what_was_not_acknowledged_is_sent_again_late_and_in_order_on_the_next_link():
    box = make()
    put(box, 1, 3)
    keys = sent(box, room=2)
    box.acknowledged(keys["1"], 0.0)
    box.disconnected()
    put(box, 4, 4)
    box.connected(0.0)
    put(box, 5, 5)
    assert list(sent(box)) == ["2 late", "3 late", "4 late", "5"]


def test_acknowledgement_of_an_earlier_link_is_not_taken_for_this_one_s():
    box = make()
    put(box, 1, 1)
    old = sent(box)["1"]
    box.disconnected()
    box.connected(0.0)
    new = sent(box)["1 late"]
    box.acknowledged(old, 0.0)
    assert box.tally().depth == 1
    box.acknowledged(new, 0.0)
    assert box.tally().depth == 0


def test_full_line_drops_the_oldest_and_one_gap_grows_in_their_place():
    box = make(capacity=4)
    put(box, 1, 4)
    assert box.tally().dropped == 0
    put(box, 5, 5)
    assert (box.tally().depth, box.tally().dropped) == (5, 1)  # the gap takes no room
    put(box, 6, 9)
    assert box.tally().dropped == 5
    assert list(sent(box)) == ["gap 1-5 queue_full", "6"]  # at most half of the capacity is on its way
    assert box.tally().depth == 5


def test_what_is_on_its_way_is_not_dropped():
    box = make(capacity=4)
    put(box, 1, 2)
    keys = sent(box)
    put(box, 3, 9)
    assert box.tally().dropped == 5
    for key in keys.values():
        box.acknowledged(key, 0.0)
    assert list(sent(box)) == ["gap 3-7 queue_full", "8"]


def test_gap_that_grows_after_it_was_sent_is_worded_anew():
    box = make(capacity=4)
    put(box, 1, 5)
    assert list(sent(box)) == ["gap 1-1 queue_full", "2"]
    box.disconnected()
    put(box, 6, 6)
    box.connected(0.0)
    assert list(sent(box)) == ["gap 1-2 queue_full", "3 late"]


def test_every_seq_is_sent_or_named_whatever_is_dropped():
    box = make(capacity=10)
    put(box, 1, 7)
    sent(box, room=3)
    box.disconnected()
    put(box, 8, 57)
    box.connected(0.0)
    told = []
    while keys := sent(box):
        for payload, key in keys.items():
            told.append(payload)
            box.acknowledged(key, 0.0)
    assert told == ["gap 1-47 queue_full", *[f"{seq} late" for seq in range(48, 58)]]


def test_refused_events_become_one_gap_that_waits_for_the_next_event():
    box = make()
    put(box, 1, 3)
    for key in sent(box).values():
        box.refused(key, 0.0)
    assert (box.tally().refused, box.tally().depth) == (3, 1)
    assert sent(box) == {}  # or it would be sent and refused in a circle
    assert box.idle()
    put(box, 4, 4)
    assert not box.idle()
    keys = sent(box)
    assert list(keys) == ["gap 1-3 refused", "4"]
    for key in keys.values():
        box.refused(key, 0.0)
    assert (box.tally().refused, box.tally().depth) == (4, 1)
    put(box, 5, 5)
    assert list(sent(box)) == ["gap 1-4 refused", "5"]


def test_refusals_out_of_order_end_in_one_gap():
    box = make()
    put(box, 1, 3)
    keys = sent(box)
    box.refused(keys["3"], 0.0)
    box.refused(keys["1"], 0.0)
    assert box.tally().depth == 3
    box.refused(keys["2"], 0.0)
    put(box, 4, 4)
    assert list(sent(box)) == ["gap 1-3 refused", "4"]


def test_refused_gap_is_tried_once_on_the_next_link():
    box = make()
    put(box, 1, 1)
    box.refused(sent(box)["1"], 0.0)
    box.disconnected()
    box.connected(0.0)
    keys = sent(box)
    assert list(keys) == ["gap 1-1 refused"]
    box.acknowledged(keys["gap 1-1 refused"], 0.0)
    assert (box.tally().depth, box.tally().acknowledged) == (0, 0)  # a gap is no event


def test_expiry_that_is_left_is_what_remains_of_it():
    box = make()
    box.put(event(1, expiry_s=60), now=100.0)
    box.put(event(2, expiry_s=60), now=155.0)
    box.put(event(3), now=155.0)
    assert [parcel.message.expiry_s for parcel in box.due(20, now=159.5)] == [1, 56, None]
    assert box.due(20, now=159.5) == []


def test_refused_gap_beside_a_full_line_is_swallowed_by_its_gap():
    box = make(capacity=4)
    put(box, 1, 2)
    for key in sent(box).values():
        box.refused(key, 0.0)
    put(box, 3, 8)
    assert list(sent(box)) == ["gap 1-2 refused", "gap 3-4 queue_full"]
    assert (box.tally().dropped, box.tally().refused) == (2, 2)


def test_changes_of_emotion_go_before_who_came_and_who_left():
    box = make(capacity=4)
    for seq in range(1, 9):
        box.put(event(seq, droppable=seq % 2 == 0), now=0.0)  # even ones are changes
    assert sent_all(box) == [
        "1",
        "gap 2-2 queue_full",
        "3",
        "gap 4-4 queue_full",
        "5",
        "gap 6-6 queue_full",
        "7",
        "gap 8-8 queue_full",
    ]
    put(box, 9, 13)  # only firm ones are left: the oldest of them goes
    assert sent_all(box) == ["gap 9-9 queue_full", "10", "11", "12", "13"]


def test_line_is_bounded_by_bytes_as_well():
    box = make(size_bytes=1000)
    put(box, 1, 9)  # each counts as 256 bytes and its payload
    assert box.tally().dropped == 6
    assert sent_all(box) == ["gap 1-6 queue_full", "7", "8", "9"]


def test_event_that_outlived_its_expiry_becomes_a_gap_and_younger_ones_stay():
    box = make()
    for seq, now in ((1, 0.0), (2, 1.0), (3, 50.0)):
        box.put(event(seq, expiry_s=60), now=now)
    box.put(event(4), now=50.0)
    assert [parcel.message.payload for parcel in box.due(20, now=61.0)] == [b"gap 1-2 expired", b"3", b"4"]
    assert box.tally().dropped == 2


def test_memory_of_a_long_outage_stays_small_however_many_events_are_dropped():
    box = make(capacity=10)
    for seq in range(1, 5001):
        box.put(event(seq, droppable=seq % 3 != 0), now=0.0)
    assert box.tally().depth < 10 + 2 * 64 + 10
    assert sent_all(box)[0] == "gap 1-4970 queue_full"


def test_backlog_is_sent_at_its_pace_and_what_is_new_is_not_held_back():
    box = make(replay_hz=20.0)
    put(box, 1, 6)
    box.connected(0.0)
    assert [parcel.message.payload for parcel in box.due(20, now=0.0)] == [b"1 late", b"2 late"]  # a tenth of a second
    assert box.wait_s(18, 0.0) == pytest.approx(0.05)
    assert box.due(20, now=0.01) == []
    assert len(box.due(20, now=0.11)) == 2
    assert len(box.due(20, now=9.0)) == 2
    assert box.wait_s(14, 9.0) == float("inf")
    put(box, 7, 12)
    assert len(box.due(20, now=9.0)) == 6


def test_link_sleeps_while_a_refused_gap_waits_for_something_newer_and_wakes_for_it():
    box = make()
    put(box, 1, 1)
    box.connected(0.0)
    box.refused(sent(box)["1 late"], 0.0)
    assert box.wait_s(20, 5.0) == float("inf")
    put(box, 2, 2)
    assert list(sent(box)) == ["gap 1-1 refused", "2"]


def test_link_sleeps_while_a_backlog_waits_for_a_broker_that_acknowledges_nothing():
    box = make()
    put(box, 1, 30)
    box.connected(0.0)
    keys = sent(box, room=20)
    assert box.wait_s(0, 5.0) == float("inf")
    box.acknowledged(keys["1 late"], 5.0)
    assert list(sent(box, room=1)) == ["21 late"]


def test_pinned_event_takes_no_room_does_not_expire_and_stays_after_a_rejection():
    box = make(capacity=4)
    box.put(event(1), now=0.0, pinned=True)
    for seq in range(2, 9):
        box.put(event(seq, expiry_s=60), now=0.0)
    assert box.tally().dropped == 3
    (parcel,) = box.due(1, now=100.0)
    assert parcel.message.payload == b"1"
    box.refused(parcel.key, 100.0)
    assert box.tally().refused == 0
    parcels = box.due(20, now=100.0)
    assert [parcel.message.payload for parcel in parcels] == [b"gap 2-4 queue_full", b"gap 5-8 expired"]
    for parcel in parcels:
        box.acknowledged(parcel.key, 100.0)
    assert box.idle()
    put(box, 9, 9)
    keys = sent(box)
    assert list(keys) == ["1", "9"]


def test_retained_messages_go_before_events_and_share_the_room():
    box = make()
    put(box, 1, 2)
    box.retain(state("seen"))
    assert list(sent(box, room=2)) == ["seen", "1"]
    assert list(sent(box)) == ["2"]


def test_retained_message_that_is_replaced_in_flight_is_sent_once_more():
    box = make()
    box.retain(state("old"))
    key = sent(box)["old"]
    box.retain(state("new"))
    box.acknowledged(key, 0.0)
    assert list(sent(box)) == ["new"]


def test_message_of_qos_0_is_kept_for_one_connection_only():
    box = make()
    box.retain(state("early", qos=0))
    box.connected(0.0)
    box.retain(state("now", qos=0))
    assert list(sent(box)) == ["now"]
    box.retain(state("late", qos=0))
    box.disconnected()
    box.connected(0.0)
    assert list(sent(box)) == []


def test_retained_and_unacknowledged_messages_are_sent_again_after_a_reconnect():
    box = make()
    box.connected(0.0)
    box.retain(state("seen"))
    put(box, 1, 1)
    box.acknowledged(sent(box)["seen"], 0.0)
    assert not box.idle()
    box.disconnected()
    box.connected(0.0)
    assert list(sent(box)) == ["seen", "1 late"]


def test_responses_are_bounded_expire_and_are_sent_again_until_they_are_answered():
    box = make()
    for number in range(MAX_MESSAGES + 1):
        box.post(Message("answer", b"%d" % number, expiry_s=60), 0.0)
    box.post(Message("answer", b"newest"), 50.0)
    first, *_ = box.due(1, 10.0)
    assert (first.message.payload, first.message.expiry_s) == (b"2", 50)
    box.disconnected()
    assert box.due(1, 10.0)[0].message.payload == b"2"
    assert [parcel.message.payload for parcel in box.due(200, 70.0)] == [b"newest"]


def test_strict_events_wait_until_they_are_on_disk():
    journal = Journal(None)
    box = make(journal=journal)
    box.stored_only = True
    put(box, 1, 2)
    assert (sent(box), box.wait_s(20, 5.0), box.idle()) == ({}, float("inf"), False)
    journal.written(journal.take(0.0, exact=True))
    put(box, 3, 3)
    assert list(sent(box)) == ["1", "2"]
    assert box.tally().stored == 2


def test_rows_of_earlier_runs_go_first_also_when_they_are_found_late():
    journal = Journal(None)
    box = make(4, journal)
    put(box, 1, 2)
    flying = sent(box, room=1)
    earlier = Run(number=3, name="old")
    for seq in (7, 8, 9):
        journal.put(earlier, seq, seq, b"%d" % seq, kept_at=0.0, priority=DROP_NEXT)
    journal.save(earlier)
    box.rows_added()
    put(box, 3, 3)  # there is no room for five: the oldest are dropped
    box.acknowledged(flying["1"], 0.0)
    assert sent_all(box) == ["gap 7-8 queue_full", "9", "2", "3"]


def test_row_that_changed_in_memory_is_named_and_never_sent_with_another_value(tmp_path):
    journal = Journal(tmp_path / "a.journal")
    box = make(journal=journal)
    put(box, 1, 3)
    with journal.transaction() as database:
        database.execute("UPDATE events SET payload = x'3939' WHERE last = 2")
    assert sent_all(box) == ["1", "gap 2-2 corrupt", "3"]
    journal.close(remove=True)


def test_threads_that_put_and_take_lose_and_double_nothing():
    box = make(10_000)
    box.connected(0.0)
    came: list[str] = []
    done = threading.Event()

    def take() -> None:
        while not done.is_set() or not box.idle():
            for payload, key in sent(box).items():
                came.append(payload)
                box.acknowledged(key, 0.0)

    taker = threading.Thread(target=take)
    taker.start()
    put(box, 1, 3000)
    done.set()
    taker.join()
    assert came == [str(seq) for seq in range(1, 3001)]


def state(payload: str, qos: int = 1) -> Message:
    return Message("state" if qos else "health", payload.encode(), qos=qos, retain=True)
