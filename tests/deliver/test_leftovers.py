"""What stored rows and notes amount to where some of it is damaged: numbers are seqs."""

import msgspec
import pytest

from fer_edge.deliver.leftovers import leftovers
from fer_edge.deliver.messages import Clocks
from fer_edge.deliver.mirror import Row
from fer_edge.deliver.page import OpenFace, Page
from fer_edge.deliver.payloads import EventPayload, Missing
from fer_edge.deliver.recover import Lost
from fer_edge.values import Message

TOPIC = "fer_edge/porch/event"
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z
SYNCED = Clocks(lambda: NOON + 90.0, lambda: 1000.0, lambda: True)
UNSYNCED = Clocks(lambda: NOON + 90.0, lambda: 1000.0, lambda: False)


def payload(seq: int, event_type: str = "face_appeared", **others: object) -> bytes:
    return msgspec.json.encode(
        EventPayload(
            id=f"a-{seq}",
            event_type=event_type,
            time="2026-11-21T12:00:00.000Z",
            clock="synced",
            uptime_s=1.0,
            device="porch",
            model="m",
            **others,
        )
    )


def row(seq: int, text: bytes | None = None, topic: str = TOPIC) -> Row:
    message = Message(topic, text or payload(seq), expiry_s=3600, seq=seq)
    return Row(row=seq, boot="a", first=seq, last=seq, reason=None, message=message)


def told(found) -> list[tuple[int, int, str | None]]:
    return [(entry.first, entry.last, entry.reason) for entry in found.entries]


SETTLED = {"a": Page(boot="a", number=3, made=3, settled=True)}


def damaged(old: bytes, new: bytes) -> bytes:
    assert payload(2).count(old) == 1
    return payload(2).replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        damaged(b'"schema"', b'"schema '),
        damaged(b'"uptime_s":1', b'"uptime_s":!'),
        damaged(b'"model"', b'"modul"'),
        damaged(b'"a-2"', b'"a-6"'),
        damaged(b"face_appeared", b"face_appeare$"),
        damaged(b"2026-11", b"2026-1q"),
        damaged(b"porch", b"por\xe3h"),
        b" ",
    ],
)
@pytest.mark.parametrize("clocks", [SYNCED, UNSYNCED], ids=["synced", "unsynced"])
def test_row_whose_payload_is_not_what_was_written_is_a_gap_in_its_place(text: bytes, clocks: Clocks) -> None:
    found = leftovers([row(1), row(2, text), row(3)], SETTLED, TOPIC, clocks)
    assert told(found) == [(1, 1, None), (2, 2, "corrupt"), (3, 3, None)]
    assert (found.damaged, found.entries[1].message, found.entries[1].on_disk) == (1, None, True)
    assert (found.next_row, found.last_number) == (4, 3)


def test_row_without_a_payload_is_a_gap_and_a_gap_stays_what_it_was() -> None:
    empty = Row(row=1, boot="a", first=1, last=1, reason=None, message=None)
    full = Row(row=2, boot="a", first=2, last=9, reason="queue_full", message=None)
    found = leftovers([empty, full], SETTLED, TOPIC, SYNCED)
    assert (told(found), found.damaged) == ([(1, 1, "corrupt"), (2, 9, "queue_full")], 1)


def test_event_is_sent_where_the_device_publishes_whatever_its_row_says() -> None:
    (entry,) = leftovers([row(1, topic="fer_edge/por#h/event")], SETTLED, TOPIC, SYNCED).entries
    assert entry.message == row(1).message


def test_event_is_as_old_as_its_time_says_where_both_clocks_can_be_believed() -> None:
    assert leftovers([row(1)], SETTLED, TOPIC, SYNCED).entries[0].kept_at == pytest.approx(910.0)
    assert leftovers([row(1)], SETTLED, TOPIC, UNSYNCED).entries[0].kept_at == 1000.0


def test_gap_of_another_boot_stays_what_nobody_else_says() -> None:
    other = payload(1, "gap", reason="restart", missing=Missing("z", 4, None))
    first, second = leftovers([row(1, other), row(2)], SETTLED, TOPIC, SYNCED).entries
    assert (first.owed, second.owed) == (True, False)


def test_boot_whose_faces_cannot_be_read_any_more_ends_at_an_unknown_number() -> None:
    face = OpenFace(1.0, None, msgspec.Raw(damaged(b'"model"', b'"modul"')))
    found = leftovers([row(2)], {"a": Page(boot="a", made=9, acknowledged=1, faces=(face,))}, TOPIC, SYNCED)
    assert (told(found), found.lost) == ([(2, 2, None)], (Lost("a", 3, "restart"),))
