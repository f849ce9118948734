"""What of stored rows and notes is still to be said, boot by boot; what cannot be read any more is a gap. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from fer_edge.deliver.entry import CORRUPT, Entry
from fer_edge.deliver.messages import Clocks
from fer_edge.deliver.mirror import Row
from fer_edge.deliver.page import Page
from fer_edge.deliver.payloads import EventPayload
from fer_edge.deliver.recover import Lost, in_order, recover
from fer_edge.values import EventKind, Message


class Leftovers(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier boots left."""

    entries: tuple[Entry, ...]  # for the line, in order
    lost: tuple[Lost, ...]  # boots of which nobody knows how they ended
    settled: tuple[Page, ...]  # boots of which all that is to be said is in `entries`
    done: tuple[str, ...]  # boots of which nothing is left to be said
    answered: tuple[int, ...]  # rows that nobody waits for any more
    damaged: int  # rows that could not be read
    next_row: int  # the first name of a row that nobody has
    last_number: int  # of the boots


def leftovers(
    rows: Sequence[Row], pages: Mapping[str, Page], topic: str, clocks: Clocks, next_row: int = 1
) -> Leftovers:
    """``rows``, and ``pages`` by boot, are what was noted; events go to ``topic``, new rows begin with ``next_row``."""
    style = Message(topic, b"", qos=1)
    sound = [_sound(row, topic) for row in rows]
    damaged = sum(one is not row and one.reason == CORRUPT for one, row in zip(sound, rows, strict=True))
    numbers = {boot: page.number for boot, page in pages.items()}
    next_row = max((row.row + 1 for row in rows), default=next_row)
    entries: list[Entry] = []
    lost: list[Lost] = []
    settled: list[Page] = []
    done: list[str] = []
    answered: list[int] = []
    for boot, of_boot in in_order(sound, numbers):
        page = _sound_page(pages[boot]) if boot in pages else Page(boot=boot, exact=False)
        recovered = recover(page, of_boot, style, clocks.monotonic(), next_row)
        next_row = recovered.next_row
        answered += recovered.answered
        entries += (_with_age(entry, clocks) for entry in recovered.entries)
        if recovered.lost is not None:
            lost.append(recovered.lost)
        elif recovered.entries:
            settled.append(Page(boot=boot, number=page.number, settled=True))
        else:
            done.append(boot)
    return Leftovers(
        entries=tuple(entries),
        lost=tuple(lost),
        settled=tuple(settled),
        done=tuple(done),
        answered=tuple(answered),
        damaged=damaged,
        next_row=next_row,
        last_number=max(numbers.values(), default=0),
    )


def _sound(row: Row, topic: str) -> Row:
    """The row as it can be sent: a gap where its payload is not the event that its columns name.

    SQLite has no checksum of what it stores, and one bit of a payload makes JSON of another shape, or none at all.
    Where it is sent is known better than a damaged row can tell.
    """
    if row.reason is not None:
        return row
    if row.message is None or (payload := _payload(row.message.payload)) is None:
        return replace(row, reason=CORRUPT, message=None)
    if payload.id != f"{row.boot}-{row.last}":
        return replace(row, reason=CORRUPT, message=None)
    return replace(row, message=replace(row.message, topic=topic))


def _sound_page(page: Page) -> Page:
    """The page, or one that says that nobody knows how the boot ended where its faces cannot be read."""
    if all(_payload(face.event) is not None for face in page.faces):
        return page
    return replace(page, faces=(), exact=False)


def _payload(text: bytes | msgspec.Raw) -> EventPayload | None:
    """The event, None where it is none."""
    try:
        payload = msgspec.json.decode(text, type=EventPayload)
        EventKind(payload.event_type)
        datetime.fromisoformat(payload.time)
    except (msgspec.MsgspecError, ValueError):
        return None
    return payload


def _with_age(entry: Entry, clocks: Clocks) -> Entry:
    """The entry, as old as its event is; it counts as new where one of the clocks could not be believed."""
    if entry.message is not None and entry.on_disk:
        payload = msgspec.json.decode(entry.message.payload, type=EventPayload)
        entry.owed = payload.event_type == EventKind.GAP  # those of the line have no message, they are worded anew
        if clocks.synced() and payload.clock == "synced":
            entry.kept_at -= max(0.0, clocks.wall() - datetime.fromisoformat(payload.time).timestamp())
    return entry
