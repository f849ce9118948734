"""What an earlier boot left behind, as entries for the line: events, losses, farewells to its faces. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from fer_edge.deliver.entry import RESTART, Entry
from fer_edge.deliver.mirror import Row
from fer_edge.deliver.page import OpenFace, Page
from fer_edge.deliver.payloads import EventPayload
from fer_edge.deliver.rounding import rfc3339, seconds
from fer_edge.values import EventKind, Message


class Lost(msgspec.Struct, frozen=True):
    """Of ``boot`` nobody knows what was made from ``first`` on, nor which faces were there; None: of unknown boots."""

    boot: str | None
    first: int | None
    reason: str


class Recovered(msgspec.Struct, frozen=True):
    """What is to be sent of one boot, in order; then what cannot be known, if anything."""

    entries: tuple[Entry, ...]
    lost: Lost | None
    next_row: int
    answered: tuple[int, ...] = ()  # rows of the store that nobody waits for any more


def recover(page: Page, rows: Sequence[Row], style: Message, now: float, next_row: int) -> Recovered:
    """Everything of one boot: ``rows`` are what the store has of it, in the order of their seq.

    What was made and is neither acknowledged nor stored becomes a gap. Faces that were open, or whose own farewell is
    in such a gap, are said to be gone, under the boot's own next numbers, at the last moment the boot was known to live
    or they to be there. Said again from the same notes it is the same. Farewells are like ``style`` but for their
    payload. The entries' ``kept_at`` is ``now``.
    """
    if page.settled:
        return Recovered(tuple(_entry(row, now) for row in rows), None, next_row)
    entries: list[Entry] = []
    answered: list[int] = []
    known_to = page.acknowledged
    for row in rows:
        if row.last <= page.acknowledged:
            answered.append(row.row)  # the daemon died before it could delete it
            continue
        if row.first > known_to + 1:
            entries.append(_gap(page.boot, known_to + 1, row.first - 1, next_row, now))
            next_row += 1
        entries.append(_entry(row, now))
        known_to = max(known_to, row.last)
    if not page.exact:
        return Recovered(tuple(entries), Lost(page.boot, known_to + 1, RESTART), next_row, tuple(answered))
    if page.made > known_to:
        entries.append(_gap(page.boot, known_to + 1, page.made, next_row, now))
        next_row += 1
    told = {row.last for row in rows if row.reason is None}
    silent = [
        face
        for face in page.faces
        if face.gone_seq is None or (face.gone_seq > page.acknowledged and face.gone_seq not in told)
    ]
    for seq, face in enumerate(silent, page.made + 1):
        message = _farewell(page, face, seq, style)
        entries.append(
            Entry(row=next_row, boot=page.boot, first=seq, last=seq, kept_at=now, message=message, late=True)
        )
        next_row += 1
    return Recovered(tuple(entries), None, next_row, tuple(answered))


def in_order(rows: Sequence[Row], numbers: Mapping[str, int]) -> Iterator[tuple[str, list[Row]]]:
    """Each boot with its rows by seq; boots by their number, those without one first."""
    by_boot: dict[str, list[Row]] = {boot: [] for boot in numbers}
    for row in rows:
        by_boot.setdefault(row.boot, []).append(row)
    for boot in sorted(by_boot, key=lambda one: numbers.get(one, 0)):
        yield boot, sorted(by_boot[boot], key=lambda row: row.first)


def _entry(row: Row, now: float) -> Entry:
    return Entry(
        row=row.row,
        boot=row.boot,
        first=row.first,
        last=row.last,
        kept_at=now,
        message=row.message,
        reason=row.reason,
        late=True,
        on_disk=True,
    )


def _gap(boot: str, first: int, last: int, row: int, now: float) -> Entry:
    return Entry(row=row, boot=boot, first=first, last=last, kept_at=now, message=None, reason=RESTART, late=True)


def _farewell(page: Page, face: OpenFace, seq: int, style: Message) -> Message:
    last = msgspec.json.decode(face.event, type=EventPayload)
    if face.gone_seq is None:
        clock = "synced" if page.synced else "unsynced"
        uptime_s = max(page.alive_uptime_s, last.uptime_s or 0.0)
        last = replace(last, time=rfc3339(page.alive_at), clock=clock, uptime_s=seconds(uptime_s))
    # Else it was seen to go and its time is known; only the event was lost.
    payload = replace(
        last,
        id=f"{page.boot}-{seq}",
        event_type=EventKind.GONE.value,
        previous=None,
        duration_s=seconds((last.uptime_s or 0.0) - face.since_uptime_s),
        reason=RESTART,
        replayed=True,
    )
    return replace(style, payload=msgspec.json.encode(payload), seq=seq)
