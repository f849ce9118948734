"""What is to be written when: numbers are rows, time is seconds."""

from fer_edge.deliver.entry import Entry
from fer_edge.deliver.mirror import BATCH_ROWS, BATCH_S, LATE_S, Mirror
from fer_edge.values import Message


def entry(row: int, kept_at: float = 0.0) -> Entry:
    message = Message("event", str(row).encode(), seq=row)
    return Entry(row=row, boot="b", first=row, last=row, kept_at=kept_at, message=message)


def filled(*entries: Entry) -> Mirror:
    mirror = Mirror(wanted=True)
    for one in entries:
        mirror.added(one)
    return mirror


def leave(mirror: Mirror, one: Entry, now: float = 0.0) -> None:
    one.gone = True
    mirror.removed(one, now)


def rows(mirror: Mirror, patience_s: float, now: float) -> list[int]:
    batch = mirror.take(patience_s, now)
    mirror.written(batch, now)
    return [row.row for row in batch.rows]


def test_nothing_is_written_of_what_is_acknowledged_in_time():
    one = entry(1)
    mirror = filled(one)
    assert mirror.due_at(LATE_S) == 5.0
    leave(mirror, one)
    assert mirror.due_at(LATE_S) is None
    assert mirror.take(LATE_S, 10.0).rows == ()


def test_late_ones_go_to_disk_and_younger_ones_wait():
    mirror = filled(entry(1, 0.0), entry(2, 1.0), entry(3, 4.0))
    assert rows(mirror, LATE_S, 6.5) == [1, 2]
    assert mirror.due_at(LATE_S) == 9.0
    assert mirror.stored == 2


def test_while_the_link_is_down_a_batch_waits_two_seconds_or_for_fifty():
    mirror = filled(entry(1, 7.0))
    assert mirror.due_at(BATCH_S) == 9.0
    mirror = filled(*(entry(row, 7.0) for row in range(1, 121)))
    assert mirror.due_at(BATCH_S) == float("-inf")
    assert [len(rows(mirror, BATCH_S, 7.0)) for _ in range(3)] == [BATCH_ROWS, BATCH_ROWS, 20]


def test_what_was_acknowledged_leaves_the_disk_two_seconds_later_in_one_go():
    entries = [entry(row) for row in range(1, 4)]
    mirror = filled(*entries)
    rows(mirror, 0.0, 0.0)
    leave(mirror, entries[0], 10.0)
    leave(mirror, entries[1], 11.0)
    assert mirror.due_at(LATE_S) == 12.0
    batch = mirror.take(LATE_S, 12.0)
    assert (batch.gone, mirror.stored) == ((1, 2), 1)


def test_event_that_became_a_gap_is_written_once_more():
    one = entry(1)
    mirror = filled(one)
    rows(mirror, 0.0, 0.0)
    one.reason, one.message, one.last = "queue_full", None, 4
    mirror.changed(one, 1.0)
    (row,) = mirror.take(LATE_S, 3.0).rows
    assert (row.row, row.first, row.last, row.reason, row.message) == (1, 1, 4, "queue_full", None)


def test_what_left_or_changed_while_it_was_written_is_put_right_afterwards():
    one, other = entry(1), entry(2)
    mirror = filled(one, other)
    batch = mirror.take(0.0, 0.0)
    leave(mirror, one)
    other.reason = "queue_full"
    mirror.changed(other, 0.0)
    mirror.written(batch, 0.0)
    after = mirror.take(0.0, 0.0)
    assert after.gone == (1,)
    assert [row.reason for row in after.rows] == ["queue_full"]
    assert mirror.stored == 1


def test_batch_that_failed_is_written_again_in_its_order():
    entries = [entry(row) for row in (1, 2, 3)]
    mirror = filled(*entries)
    rows(mirror, 0.0, 0.0)
    leave(mirror, entries[0])
    mirror.added(entry(4))
    batch = mirror.take(0.0, 0.0)
    leave(mirror, entries[1])
    mirror.failed(batch, 0.0)
    again = mirror.take(0.0, 0.0)
    assert ([row.row for row in again.rows], sorted(again.gone)) == ([4], [1, 2])


def test_all_is_written_anew_when_the_store_was_lost():
    entries = [entry(row) for row in (1, 2, 3)]
    mirror = filled(*entries)
    rows(mirror, 0.0, 0.0)
    leave(mirror, entries[0])
    mirror.forget(entries[1:])
    assert mirror.stored == 0
    assert rows(mirror, 0.0, 0.0) == [2, 3]
    assert mirror.due_at(LATE_S) is None


def test_without_a_store_nothing_is_kept_for_it():
    mirror = Mirror(wanted=False)
    mirror.added(entry(1))
    assert mirror.due_at(0.0) is None
