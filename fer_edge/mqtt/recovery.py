"""Recovery: take over what earlier runs left in the journal and in the disk copy, and close the faces of dead runs."""

import fcntl
import glob
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from fer_edge.mqtt.journal import (
    CORRUPT,
    DROP_FIRST,
    DROP_NEXT,
    NEVER_DROP,
    RESTART,
    Journal,
    OpenFace,
    Row,
    Run,
    checksum,
    seal,
    unseal,
)
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.payloads import EventPayload, rfc3339, seconds
from fer_edge.mqtt.spool import Saved, copied_rows
from fer_edge.types import EventKind
from fer_edge.untrusted import DecodeError, decode_json, open_regular

logger = logging.getLogger(__name__)

LEDGER_SUFFIX = ".ledger"  # a crash journal of format 1; only its name is read


class Lost(msgspec.Struct, frozen=True):
    """Unknown end of an earlier run: events from ``first`` on and open faces. None: of unknown runs."""

    run: str | None
    first: int | None
    reason: str


def recover(journal: Journal, saved: Saved, clocks: Clocks, ledgers: Sequence[str] = ()) -> list[Lost]:
    """Bring the journal up to date with a disk copy, and close the runs that are not closed.

    The journal takes precedence over the copy, which is older. The result is deterministic. ``ledgers`` are killed runs
    of format 1.

    Returns:
        Unknown ends of earlier runs, each to be published as an event of this run; the records of those runs stay until
        `note_published`.
    """
    with journal.transaction():
        lost: list[Lost] = []
        known = {name for _, name, _ in journal.runs()}
        numbers = {number for number, _, _ in journal.runs()}
        there = known | {name for _, name, _ in saved.runs}
        if journal.damaged or (saved.damaged and (saved.mark is None or saved.mark.run not in known)):
            lost.append(Lost(None, None, CORRUPT))
        journal.damaged = False
        if saved.mark is not None and saved.mark.run not in there:
            lost += [] if lost else [Lost(saved.mark.run, 1, CORRUPT)]
        lost += [Lost(name, 1, RESTART) for name in ledgers if name not in there]
        imported: dict[int, Run] = {}
        for number, name, run in saved.runs:
            if name in known or name == journal.run.name:
                continue
            if number in numbers or run is None:
                logger.warning("the record of run %s on disk is damaged", name)
                lost.append(Lost(name if run is not None else None, 1 if run is not None else None, CORRUPT))
                continue
            if saved.mark is not None and saved.mark.run == name and saved.mark.last > _newest(run, saved.rows):
                logger.warning("the last commits of run %s are missing on disk", name)
                run.lost = CORRUPT
            run.lost = run.lost or (RESTART if name in ledgers and not run.closed else None)
            _import(journal, run, saved, clocks)
            imported[number] = run
        journal.match(copied_rows(saved))
        for number, name, record in journal.runs():
            if number != journal.run.number:
                run = imported.get(number) or record or Run(number=number, name=name, lost=CORRUPT)
                lost += _close(journal, run, is_copy=number in imported, now=clocks.monotonic())
    return lost


def last_number(journal: Journal, saved: Saved) -> int:
    """Return the highest number of a run."""
    return max((number for number, _, _ in (*journal.runs(), *saved.runs)), default=0)


def note_published(journal: Journal, lost: Lost) -> None:
    """Record that the unknown end of a run was enqueued as an event of this run."""
    for _, name, run in journal.runs():
        if run is not None and name == lost.run:
            run.lost, run.closed, run.exact = None, True, True
            journal.save(run)


def take_ledgers(folder: Path | None, name: str) -> list[str]:
    """Remove the crash journals of format 1 of killed daemons, and return the names of their runs."""
    runs = []
    for path in [] if folder is None else folder.glob(f"{glob.escape(name)}.*{LEDGER_SUFFIX}"):
        with suppress(OSError), open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            runs.append(path.name.removesuffix(LEDGER_SUFFIX).rpartition(".")[2])
            path.unlink()
    return runs


def _newest(run: Run, rows: Sequence[Row]) -> int:
    return max(run.last, max((row.last for row in rows if row.run == run.number), default=0))


def _import(journal: Journal, run: Run, saved: Saved, clocks: Clocks) -> None:
    """Copy a run from disk into the journal, damaged rows included."""
    journal.save(replace(run, faces=[]))
    now = clocks.monotonic()
    for row in saved.rows:
        if row.run == run.number:
            journal.insert(row._replace(kept_at=now - _age_s(row, clocks)))


def _age_s(row: Row, clocks: Clocks) -> float:
    """Return the age of an event; 0 if one of the clocks is not reliable."""
    payload = None if row.payload is None else _event(row.payload)
    if payload is None or payload.clock != "synced" or not clocks.synced():
        return 0.0
    return max(0.0, clocks.wall() - datetime.fromisoformat(payload.time).timestamp())


def _close(journal: Journal, run: Run, *, is_copy: bool, now: float) -> list[Lost]:
    """Complete and close a run; return its unknown end, if any."""
    faces = run.faces if is_copy else journal.faces_of(run.number)
    is_exact = run.closed or (run.exact if is_copy else run.machine == journal.machine)
    known, damaged = _complete(journal, run, is_copy=is_copy, is_exact=is_exact, now=now)
    if run.lost is None and not run.closed:
        if damaged or not all(_is_sound(face, run) for face in faces):
            run.lost = CORRUPT
        elif not is_exact:
            run.lost = RESTART
    if run.lost is not None:
        run.closed = True
        journal.save(run)
        return [Lost(run.name, known + 1, run.lost)]
    if (damaged or (is_copy and not run.closed)) and run.last > known:
        _gap(journal, run, known + 1, run.last, damaged, now)
    run.last = max(run.last, known)
    for face in [] if run.closed else sorted(faces, key=lambda one: one.seq):
        payload = _restart_gone(run, face, run.last + 1)
        journal.put(run, run.last + 1, run.last + 1, payload, kept_at=now)
    run.closed = run.exact = True
    run.faces = []
    journal.save(run)
    return []


def _complete(journal: Journal, run: Run, *, is_copy: bool, is_exact: bool, now: float) -> tuple[int, list[Row]]:
    """Delete damaged rows and fill the holes where something can be missing.

    Returns:
        The seq up to which the run is complete, and the damaged rows.
    """
    rows = journal.rows_of(run.number)
    damaged = [row for row in rows if not row.is_sound(run.name) or row.first > row.last]
    # The daemon was killed before the copy was updated.
    settled = [row for row in rows if is_copy and not run.closed and row.last <= run.acked]
    journal.delete([row for row in rows if row in damaged or row in settled])
    if damaged:
        logger.warning("%d events in the store are damaged: a gap names each", len(damaged))
    # Rows of a closed run were acknowledged one by one: only holes of damaged rows matter.
    fill = bool(damaged) or not (run.closed or (is_exact and not is_copy))
    known = min(row.first for row in rows) - 1 if run.closed and rows else run.acked
    for row in rows:
        if row not in damaged and row not in settled:
            if fill and row.first > known + 1:
                _gap(journal, run, known + 1, row.first - 1, damaged, now)
            known = max(known, row.last)
    return known, damaged


def _gap(  # noqa: PLR0913, PLR0917  a row's columns
    journal: Journal, run: Run, first: int, last: int, damaged: Sequence[Row], now: float
) -> None:
    reason = CORRUPT if any(first <= row.last and row.first <= last for row in damaged) else RESTART
    journal.put(run, first, last, None, kept_at=now, reason=reason)


def _is_sound(face: OpenFace, run: Run) -> bool:
    event = _event(face.event)
    return (
        event is not None
        and event.id == f"{run.name}-{face.seq}"
        and unseal(run.name, face.face, face.since) is not None
    )


def _restart_gone(run: Run, face: OpenFace, seq: int) -> bytes:
    """Return the `face_gone` of a face that was open when the run was killed, at the run's last recorded moment."""
    last = _event(face.event)
    assert last is not None, "checked by _is_sound"
    since_s = unseal(run.name, face.face, face.since) or 0.0
    uptime_s = max(run.alive_uptime_s, last.uptime_s or 0.0)
    gone = replace(
        last,
        id=f"{run.name}-{seq}",
        event_type=EventKind.GONE.value,
        time=rfc3339(run.alive_at) if run.alive_at else last.time,
        clock="synced" if run.synced else "unsynced",
        uptime_s=seconds(uptime_s),
        previous=None,
        duration_s=seconds(uptime_s - since_s),
        reason=RESTART,
        replayed=True,
    )
    return msgspec.json.encode(gone)


def _event(text: bytes | msgspec.Raw) -> EventPayload | None:
    """Return the event, None where it is none."""
    try:
        payload = decode_json(bytes(text), EventPayload)
        EventKind(payload.event_type)
        datetime.fromisoformat(payload.time)
    except (DecodeError, ValueError):
        return None
    return payload


# Format 1: rows without a checksum, and the record of a run as JSON.


class _Face1(msgspec.Struct):
    since_uptime_s: float
    gone_seq: int | None
    event: msgspec.Raw


class _Page1(msgspec.Struct):
    boot: str
    number: int = 0
    made: int = 0
    acknowledged: int = 0
    alive_at: float = 0.0
    alive_uptime_s: float = 0.0
    synced: bool = False
    faces: list[_Face1] = []
    exact: bool = True
    settled: bool = False


def read_format_1(database: sqlite3.Connection) -> Saved:
    """Return what a disk copy of format 1 holds; a payload that is not the event of its row counts as damaged."""
    runs: dict[str, Run] = {}
    for boot, text in database.execute("SELECT boot, page FROM boots"):
        try:
            page = decode_json(text, _Page1)
        except DecodeError:
            page = _Page1(boot=boot, exact=False)
        runs[boot] = _run_1(page)
    query = "SELECT boot, first, last, reason, payload, expiry_s, spare FROM events ORDER BY row"
    found = database.execute(query).fetchall()
    for boot in {row[0] for row in found} - set(runs):
        runs[boot] = Run(number=0, name=boot)
    for number, run in enumerate(sorted(runs.values(), key=lambda one: one.number), max(1, _least(runs))):
        run.number = number
    rows = [_row_1(runs[row[0]], row) for row in found]
    return Saved(runs=[(run.number, run.name, run) for run in runs.values()], rows=rows)


def _least(runs: Mapping[str, Run]) -> int:
    return min((run.number for run in runs.values()), default=1)


def _run_1(page: _Page1) -> Run:
    open_faces = [face for face in page.faces if face.gone_seq is None]
    events = [(face, _event(face.event)) for face in open_faces]
    return Run(
        number=page.number,
        name=page.boot,
        last=page.made,
        acked=page.acknowledged,
        alive_at=page.alive_at,
        alive_uptime_s=page.alive_uptime_s,
        synced=page.synced,
        exact=page.exact and all(event is not None for _, event in events),
        closed=page.settled,
        faces=[
            OpenFace(
                event.face or 0,
                seal(page.boot, event.face or 0, face.since_uptime_s),
                _seq(event),
                bytes(face.event),
                0,
            )
            for face, event in events
            if event is not None
        ],
    )


def _seq(event: EventPayload) -> int:
    number = event.id.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


_Row1 = tuple[str, int, int, str | None, bytes | None, int | None, int | None]


def _row_1(run: Run, values: _Row1) -> Row:
    _, first, last, reason, payload, expiry_s, spare = values
    event = None if reason is not None or payload is None else _event(payload)
    is_pinned = event is not None and event.event_type == EventKind.GAP
    priority = NEVER_DROP if is_pinned else DROP_FIRST if spare else DROP_NEXT
    text = payload if reason is None else None
    is_sound = reason is not None or (event is not None and event.id == f"{run.name}-{last}")
    crc = checksum(run.name, last, first, reason, text, expiry_s, priority) if is_sound else -1
    return Row(run.number, last, first, reason, text, expiry_s, priority, 0.0, crc)


ReadOlder = Callable[[sqlite3.Connection], Saved]
