"""What the next boot says for one that died: numbers are seqs."""

import msgspec

from fer_edge.deliver.mirror import Row
from fer_edge.deliver.page import OpenFace, Page
from fer_edge.deliver.payloads import EventPayload
from fer_edge.deliver.recover import Lost, Recovered, in_order, recover
from fer_edge.values import Message

STYLE = Message("t/event", b"", qos=1)


def row(seq: int, number: int = 0) -> Row:
    message = Message("t/event", str(seq).encode(), seq=seq)
    return Row(row=number or seq, boot="a", first=seq, last=seq, reason=None, message=message)


def face(number: int, since: float, gone_seq: int | None = None) -> OpenFace:
    payload = EventPayload(
        id="a-3", event_type="emotion_changed", time="x", clock="synced", uptime_s=20.0, device="porch", face=number,
        emotion="happy", previous="sad", duration_s=3.0, model="m",
    )  # fmt: skip
    return OpenFace(since, gone_seq, msgspec.Raw(msgspec.json.encode(payload)))


def told(recovered: Recovered) -> list[tuple[int, int, str | None]]:
    return [(entry.first, entry.last, entry.reason) for entry in recovered.entries]


def test_what_was_made_and_is_neither_acknowledged_nor_stored_becomes_a_gap():
    page = Page(boot="a", made=9, acknowledged=5)
    assert told(recover(page, [], STYLE, 0.0, 1)) == [(6, 9, "restart")]
    assert told(recover(page, [row(6), row(8)], STYLE, 0.0, 10)) == [
        (6, 6, None),
        (7, 7, "restart"),
        (8, 8, None),
        (9, 9, "restart"),
    ]


def test_boot_of_which_all_was_acknowledged_leaves_nothing():
    assert recover(Page(boot="a", made=9, acknowledged=9), [], STYLE, 0.0, 1) == Recovered((), None, 1)


def test_row_whose_acknowledgement_was_noted_is_not_sent_again():
    recovered = recover(Page(boot="a", made=3, acknowledged=2), [row(2), row(3)], STYLE, 0.0, 4)
    assert (told(recovered), recovered.answered) == ([(3, 3, None)], (2,))


def test_open_faces_are_said_to_be_gone_under_the_boot_s_own_next_numbers_at_its_last_sign_of_life():
    page = Page(
        boot="a",
        made=4,
        acknowledged=4,
        alive_at=1_700_000_000.0,
        alive_uptime_s=30.5,
        synced=True,
        faces=(face(1, 10.0), face(2, 20.0)),
    )
    one, other = recover(page, [], STYLE, 0.0, 1).entries
    payload = msgspec.json.decode(one.message.payload)
    assert (payload["id"], payload["event_type"], payload["face"], payload["reason"]) == (
        "a-5",
        "face_gone",
        1,
        "restart",
    )
    assert (payload["time"], payload["clock"]) == ("2023-11-14T22:13:20.000Z", "synced")
    assert (payload["uptime_s"], payload["duration_s"], payload["previous"]) == (30.5, 20.5, None)
    assert (payload["emotion"], payload["replayed"]) == ("happy", True)
    assert (other.first, one.late, one.on_disk) == (6, True, False)
    assert recover(page, [], STYLE, 0.0, 1).entries[0].message == one.message  # said again it is the same


def test_face_whose_own_farewell_was_lost_is_said_to_be_gone_when_it_went():
    page = Page(boot="a", made=4, acknowledged=2, alive_uptime_s=99.0, faces=(face(1, 10.0, 3), face(2, 20.0, 2)))
    gap, farewell = recover(page, [], STYLE, 0.0, 1).entries
    assert (gap.first, gap.last) == (3, 4)
    payload = msgspec.json.decode(farewell.message.payload)
    assert (payload["id"], payload["face"], payload["reason"]) == ("a-5", 1, "restart")
    assert (payload["uptime_s"], payload["duration_s"]) == (20.0, 10.0)
    assert told(recover(page, [row(3)], STYLE, 0.0, 4)) == [(3, 3, None), (4, 4, "restart")]  # it is in the store


def test_boot_that_is_settled_owes_what_is_stored_and_nothing_else():
    page = Page(boot="a", made=9, acknowledged=1, settled=True, exact=False)
    assert told(recover(page, [row(2), row(5)], STYLE, 0.0, 6)) == [(2, 2, None), (5, 5, None)]


def test_boot_whose_notes_are_old_ends_at_an_unknown_number():
    page = Page(boot="a", made=3, acknowledged=2, faces=(face(1, 10.0),), exact=False)
    recovered = recover(page, [row(4)], STYLE, 0.0, 5)
    assert told(recovered) == [(3, 3, "restart"), (4, 4, None)]
    assert recovered.lost == Lost("a", 5, "restart")
    assert recover(Page(boot="a", exact=False), [], STYLE, 0.0, 1).lost == Lost("a", 1, "restart")


def test_boots_come_in_the_order_they_ran_and_each_by_its_numbers():
    rows = [row(2, 9), row(1, 10), Row(row=1, boot="z", first=7, last=7, reason=None, message=None)]
    assert [(boot, [one.first for one in of]) for boot, of in in_order(rows, {"z": 2, "a": 1})] == [
        ("a", [1, 2]),
        ("z", [7]),
    ]
    assert [boot for boot, _ in in_order(rows, {"a": 1})] == ["z", "a"]  # one without notes was before all others
