"""Journal of the events that the broker has not acknowledged: one SQLite file on tmpfs, which outlives the process.

The queue is the table `events`; a gap is a row without a payload, with the reason why `first` to `last` are missing. A
commit there writes nothing to a disk (`synchronous=OFF`), and a killed process loses no committed row.
"""

import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from fer_edge.untrusted import DecodeError, decode_json, read_regular

logger = logging.getLogger(__name__)

QUEUE_FULL = "queue_full"  # reasons of a gap: no room while the broker was away
REFUSED = "refused"  # the broker rejected them
EXPIRED = "expired"  # they waited for longer than their expiry
RESTART = "restart"  # the daemon was killed and they were not persisted
CORRUPT = "corrupt"  # they were in a file that cannot be read

REASONS = (QUEUE_FULL, REFUSED, EXPIRED, RESTART, CORRUPT)

DROP_FIRST, DROP_NEXT, NEVER_DROP = 0, 1, 2  # priorities; what is never dropped does not expire either
ABSENT, STALE, CURRENT = 0, 1, 2  # values of `on_disk`: not in the disk copy, there in another form, there as it is

FORMAT = 2  # PRAGMA user_version
OVERHEAD_BYTES = 256  # counted for an event beside its payload
WAL_PAGES = 256  # 1 MiB of 4 KiB pages, then SQLite copies it into the file
BUSY_S = 0.5  # wait for another process that has the file open
ASIDE = ".corrupt"  # suffix of a file that cannot be read; the last one is kept
SUFFIX = ".journal"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Key = tuple[int, int]  # run, last
SealedRun = tuple[int, str, bytes, int]  # number, name, record, checksum
START: Key = (0, 0)

TABLES = """
CREATE TABLE runs (number INTEGER PRIMARY KEY, name TEXT NOT NULL, record BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE TABLE events (
    run INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, reason TEXT, payload BLOB, expiry_s INTEGER,
    priority INTEGER NOT NULL, kept_at REAL NOT NULL, crc INTEGER NOT NULL, on_disk INTEGER NOT NULL,
    face INTEGER, gone INTEGER, since TEXT, PRIMARY KEY (run, last)
) STRICT, WITHOUT ROWID
"""
OPEN_FACES = """
CREATE TABLE faces (
    run INTEGER NOT NULL, face INTEGER NOT NULL, since TEXT NOT NULL, seq INTEGER NOT NULL, event BLOB NOT NULL,
    crc INTEGER NOT NULL, PRIMARY KEY (run, face)
) STRICT, WITHOUT ROWID;
CREATE TABLE uncopied (run INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (run, last)) STRICT, WITHOUT ROWID;
CREATE TRIGGER face_seen AFTER INSERT ON events WHEN new.gone = 0 BEGIN
    INSERT INTO faces VALUES (new.run, new.face, new.since, new.last, new.payload, new.crc)
    ON CONFLICT DO UPDATE SET seq = excluded.seq, event = excluded.event, crc = excluded.crc;
END;
CREATE TRIGGER face_gone AFTER INSERT ON events WHEN new.gone = 1 BEGIN
    DELETE FROM faces WHERE run = new.run AND face = new.face;
END;
CREATE TRIGGER settled AFTER DELETE ON events WHEN old.on_disk > 0 BEGIN
    INSERT OR IGNORE INTO uncopied VALUES (old.run, old.last);
END
"""
COLUMNS = "run, last, first, reason, payload, expiry_s, priority, kept_at, crc, on_disk"
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_AFTER = f"SELECT {COLUMNS} FROM events WHERE (run, last) > (?, ?)"  # noqa: S608  constants

_T = TypeVar("_T")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the queue, and of the rate at which a backlog is sent."""

    events: int
    size_bytes: int = 1 << 40  # counted with OVERHEAD_BYTES an event
    replay_hz: float = 1e9  # events a second that are older than the link


class OpenFace(msgspec.Struct, frozen=True):
    """A face that has appeared and is not gone, with its last event."""

    face: int
    since: str  # sealed uptime of its first event
    seq: int  # of its last event
    event: bytes  # payload of its last event
    crc: int


class Run(msgspec.Struct, kw_only=True):
    """One run of the daemon (`boot` in the contract), as far as it is recorded."""

    number: int  # counts up; the order of the runs
    name: str
    last: int = 0  # seq of its newest event
    acked: int = 0  # nothing up to this seq waits
    alive_at: float = 0.0  # seconds since 1970
    alive_uptime_s: float = 0.0
    synced: bool = False  # whether a time service kept `alive_at`
    machine: str = ""  # boot id of the kernel
    exact: bool = False  # nothing is published that this record does not count
    closed: bool = False  # its faces are closed: only its rows are left to publish
    lost: str | None = None  # reason of a gap without an end that is still to be made
    faces: list[OpenFace] = []  # in the disk copy only


class Row(NamedTuple):
    """An event or a gap."""

    run: int
    last: int
    first: int  # the same as `last` for an event
    reason: str | None  # None: an event
    payload: bytes | None  # None: a gap
    expiry_s: int | None
    priority: int
    kept_at: float  # seconds, monotonic
    crc: int
    on_disk: int = ABSENT

    @property
    def key(self) -> Key:
        """Primary key."""
        return self[0], self[1]

    @property
    def counts(self) -> bool:
        """Return whether it takes room in the queue and may be dropped."""
        return self.payload is not None and self.priority < NEVER_DROP

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes of the queue."""
        return len(self.payload) + OVERHEAD_BYTES if self.payload is not None and self.counts else 0

    def is_sound(self, name: str) -> bool:
        """Return whether the row is as it was written by the run ``name``."""
        return self.crc == checksum(name, *self[1:7])


class Batch(NamedTuple):
    """One transaction of the disk copy."""

    rows: Sequence[Row]  # to insert or to replace
    settled: Sequence[Key]  # to delete
    runs: Sequence[SealedRun]  # all that are to be in the copy; others are deleted


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes to ``db``, or roll it back if the block raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


class Journal:
    """Thread-safe by one lock, which is held for operations in memory alone, never while a disk or the network works.

    The main thread inserts, the link's thread reads and deletes, the spool's thread takes batches. If the file can no
    longer be used, its rows move to a database in memory. ``path`` None: in memory from the start.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._identity: tuple[int, int] | None = None
        self.machine = _boot_id()
        self.run = Run(number=0, name="")  # until `begin`
        self.damaged = False  # a journal was here that could not be read
        self._dirty_from = START  # rows before it are CURRENT
        self._db = self._open()
        self.rows = self.events = self.size_bytes = self.copied = 0  # `copied`: rows that are on disk in some form
        self._count()

    def begin(self, run: Run) -> None:
        """Begin a run; its number is higher than those of all others."""
        with self.transaction():
            self.run = run
            run.machine = self.machine
            self._save(run)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block in a transaction; joins one that is open."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            with transaction(self._db):
                yield self._db

    def put(  # noqa: PLR0913  the columns of a row
        self,
        run: Run,
        first: int,
        last: int,
        payload: bytes | None,
        *,
        kept_at: float,
        reason: str | None = None,
        expiry_s: int | None = None,
        priority: int = DROP_NEXT,
        face: int | None = None,
        gone: bool = False,
        uptime_s: float = 0.0,
    ) -> None:
        """Insert an event, or a gap (no ``payload``), and what it changes of the run's open faces."""
        crc = checksum(run.name, last, first, reason, payload, expiry_s, priority)
        row = Row(run.number, last, first, reason, payload, expiry_s, priority, kept_at, crc)
        of_face = (None, None, None) if face is None else (face, int(gone), seal(run.name, face, uptime_s))
        with self._lock:
            run.last = max(run.last, last)
            self._do(lambda db: db.execute(_INSERT, (*row, *of_face)))
            self._counted(row, 1)
            self._dirty_from = min(self._dirty_from, (row.run, row.last - 1))

    def insert(self, row: Row) -> None:
        """Insert a row as it is."""
        with self._lock:
            self._do(lambda db: db.execute(_INSERT, (*row, None, None, None)))
            self._counted(row, 1)
            self._dirty_from = START

    def after(self, key: Key, most: int) -> list[Row]:
        """Return at most ``most`` rows behind ``key``, in order."""
        with self._lock:
            rows = self._do(lambda db: db.execute(f"{_AFTER} ORDER BY run, last LIMIT ?", (*key, most)).fetchall())
            return [Row(*row) for row in rows]

    def oldest(self, key: Key, priorities: Sequence[int]) -> Row | None:
        """Return the first event behind ``key`` whose priority is between the two."""
        query = f"{_AFTER} AND priority BETWEEN ? AND ? AND payload IS NOT NULL ORDER BY run, last LIMIT 1"
        with self._lock:
            found = self._do(lambda db: db.execute(query, (*key, priorities[0], priorities[-1])).fetchone())
            return None if found is None else Row(*found)

    def is_beyond(self, key: Key) -> bool:
        """Return whether a row is behind ``key``."""
        query = "SELECT 1 FROM events WHERE (run, last) > (?, ?) LIMIT 1"
        with self._lock:
            return self._do(lambda db: db.execute(query, key).fetchone()) is not None

    def delete(self, rows: Sequence[Row]) -> None:
        """Delete rows that the broker acknowledged, and record how far this run is."""
        with self._lock:
            self._do(lambda _db: self._delete(rows))
            for row in rows:
                self._counted(row, -1)

    def make_gap(self, row: Row, reason: str, keep: Iterable[Key] = ()) -> Row:
        """Turn a row into a gap, one with those beside it of the same reason outside ``keep``, and return it."""
        with self._lock:
            return self._do(lambda _db: self._make_gap(row, reason, frozenset(keep)))

    def name_of(self, number: int) -> str:
        """Return the name of the run ``number``."""
        if number == self.run.number:
            return self.run.name
        query = "SELECT name FROM runs WHERE number = ?"
        with self._lock:
            found = self._do(lambda db: db.execute(query, (number,)).fetchone())
        return "" if found is None else str(found[0])

    def runs(self) -> list[tuple[int, str, Run | None]]:
        """Return number, name and record of each run, oldest first; no record where it cannot be read."""
        with self._lock:
            found = self._do(lambda db: db.execute("SELECT * FROM runs ORDER BY number").fetchall())
        return [(number, name, unseal_run(number, name, record, crc)) for number, name, record, crc in found]

    def rows_of(self, number: int) -> list[Row]:
        """Return all rows of a run."""
        query = f"SELECT {COLUMNS} FROM events WHERE run = ? ORDER BY last"  # noqa: S608  constants
        with self._lock:
            return [Row(*row) for row in self._do(lambda db: db.execute(query, (number,)).fetchall())]

    def faces_of(self, number: int) -> list[OpenFace]:
        """Return the open faces of a run, in the order of their last events."""
        query = "SELECT face, since, seq, event, crc FROM faces WHERE run = ? ORDER BY seq"
        with self._lock:
            return [OpenFace(*face) for face in self._do(lambda db: db.execute(query, (number,)).fetchall())]

    def save(self, run: Run) -> None:
        """Record a run as it is; of one that is closed, or lost, no face is open."""
        with self.transaction() as db:
            self._save(run)
            if run.closed or run.lost:
                db.execute("DELETE FROM faces WHERE run = ?", (run.number,))

    def alive(self, wall_s: float, uptime_s: float, *, synced: bool) -> None:
        """Record that this run goes on; recreate the file if it was deleted or replaced."""
        with self._lock:
            self.run.alive_at, self.run.alive_uptime_s, self.run.synced = wall_s, uptime_s, synced
            if self._path is not None and self._identity != identity(self._path):
                self._move(f"{self._path} was deleted or replaced", self._path)
            self._do(lambda _db: self._save(self.run))

    def close_run(self) -> None:
        """Record that this run ends in order: the next one has no faces to close."""
        self.run.closed = True
        self.save(self.run)

    @property
    def outlives(self) -> bool:
        """True if the rows survive the process."""
        return self._path is not None

    def forget(self, numbers: Iterable[int]) -> None:
        """Delete the records of runs that are finished."""
        with self.transaction() as db:
            db.executemany("DELETE FROM runs WHERE number = ?", [(one,) for one in numbers])

    def done(self) -> list[int]:
        """Return the earlier runs of which nothing waits."""
        query = "SELECT number FROM runs WHERE number != ? AND NOT EXISTS (SELECT 1 FROM events WHERE run = number)"
        with self._lock:
            found = self._do(lambda db: db.execute(query, (self.run.number,)).fetchall())
            lost = {number for number, _, run in self.runs() if run and run.lost} if found else ()
            return [number for (number,) in found if number not in lost]

    def to_copy(self, most: int) -> tuple[int, float]:
        """Return the number of rows to be copied, at most ``most``, and the time when the first was kept."""
        query = "SELECT run, last, kept_at FROM events WHERE (run, last) > (?, ?) AND on_disk < 2 LIMIT ?"
        with self._lock:
            found = self._do(lambda db: db.execute(query, (*self._dirty_from, most)).fetchall())
            if not found:
                self._dirty_from = max(self._dirty_from, (self.run.number, self.run.last))
                return 0, float("inf")
            self._dirty_from = (found[0][0], found[0][1] - 1)
            return len(found), found[0][2]

    def to_delete(self) -> int:
        """Return the number of rows to be deleted from the disk copy."""
        with self._lock:
            return int(self._do(lambda db: db.execute("SELECT count(*) FROM uncopied").fetchone())[0])

    def take(self, kept_before: float, *, exact: bool, final: bool = False) -> Batch:
        """Return the batch for the disk copy: rows that were kept by ``kept_before``, and pinned ones.

        With ``exact`` the record has the open faces; a ``final`` one has none, and is not there if no row is.
        """
        query = f"{_AFTER} AND on_disk < 2 AND (kept_at <= ? OR priority = 2) ORDER BY run, last"
        with self.transaction() as db:
            rows = [Row(*row) for row in db.execute(query, (*self._dirty_from, kept_before))]
            settled = db.execute("SELECT run, last FROM uncopied").fetchall()
            kept = set(self.done()) | {self.run.number}
            runs = [run for run in db.execute("SELECT * FROM runs") if run[0] not in kept]
            self.run.acked = self._acked()
            if not final or self.run.acked < self.run.last:
                faces = self.faces_of(self.run.number) if exact and not final else []
                own = msgspec.structs.replace(self.run, exact=exact or final, closed=final, faces=faces)
                runs.append(seal_run(own))
        return Batch(rows, settled, runs)

    def written(self, batch: Batch) -> None:
        """Record that a batch is in the disk copy; rows that changed meanwhile are to be copied again."""
        change = "UPDATE events SET on_disk = 2 WHERE run = ? AND last = ? AND crc = ?"
        with self.transaction() as db:
            there = db.executemany(change, [(*row.key, row.crc) for row in batch.rows]).rowcount
            self.copied += sum(row.on_disk == ABSENT for row in batch.rows)
            if there < len(batch.rows):
                self._changed_meanwhile(batch.rows)
            db.executemany("DELETE FROM uncopied WHERE run = ? AND last = ?", batch.settled)
            runs = {run[0] for run in batch.runs}
            self.forget(number for number in self.done() if number not in runs)

    def match(self, copied: Mapping[Key, int]) -> int:
        """Record which rows a disk copy has, by their checksums; return the number of rows that are identical."""
        with self.transaction() as db:
            db.execute("UPDATE events SET on_disk = 0 WHERE on_disk > 0")
            db.execute("DELETE FROM uncopied")
            for key, crc in copied.items():
                change = "UPDATE events SET on_disk = iif(crc = ?, 2, 1) WHERE run = ? AND last = ?"
                if not db.execute(change, (crc, *key)).rowcount:
                    db.execute("INSERT INTO uncopied VALUES (?, ?)", key)
            self._dirty_from = START
            self._count()
            return int(db.execute("SELECT count(*) FROM events WHERE on_disk = 2").fetchone()[0])

    def start_over(self, reason: str) -> None:
        """Replace a journal that cannot be read; its content is unknown."""
        with self._lock:
            if self._path is not None:
                self._set_aside(self._path, reason)
            self._db = self._open()
            self._count()

    def close(self, *, remove: bool) -> None:
        """Close the file, and ``remove`` it if its content is not needed any more."""
        with self._lock:
            with suppress(sqlite3.Error):
                self._db.close()
            if remove and self._path is not None and self._identity == identity(self._path):
                remove_database(self._path)
            self._path, self._db = None, _connect(None)  # for a thread that is late

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do ``work``, in a new database if this one fails; the caller holds the lock."""
        try:
            return work(self._db)
        except sqlite3.Error as error:
            if self._db.in_transaction or self._path is None:
                raise
            self._move(f"{self._path} cannot be used any more ({error})", None)
            return work(self._db)

    def _move(self, reason: str, path: Path | None) -> None:
        """Move the rows to ``path``, or to memory."""
        logger.warning("%s: the events that wait are kept %s", reason, path or f"in memory; {COST}")
        old, self._path = self._db, path
        self._db = self._open(new=True)
        try:
            old.backup(self._db)
            self._db.execute("PRAGMA wal_autocheckpoint=256")
        except sqlite3.Error as error:
            logger.warning("the events that waited cannot be read any more (%s)", error)
            self._db.close()
            self._path, self.damaged = None, True
            self._db = self._open(new=True)
            self._count()
            if self.run.name:
                self._save(self.run)
                if self.run.last > self.run.acked:
                    self.put(self.run, self.run.acked + 1, self.run.last, None, kept_at=0.0, reason=CORRUPT)
        with suppress(sqlite3.Error):
            old.close()
        self._dirty_from = START

    def _open(self, *, new: bool = False) -> sqlite3.Connection:
        """Open the file or a database in memory, and set aside what cannot be read."""
        path = self._path
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if new:
                    remove_database(path)
                log = path.with_name(path.name + "-wal")
                was_here = log.exists() and log.stat().st_size > 0
                database = _connect(path)
                if was_here and database.execute("SELECT count(*) FROM runs").fetchone()[0] == 0:
                    self.damaged = True
                    logger.warning("%s lost its log: what was in it is not known", path)
                path.chmod(0o600)
                self._identity = identity(path)
            except sqlite3.OperationalError as error:
                logger.warning("cannot use %s (%s): events wait in memory; %s", path, error, COST)
            except sqlite3.DatabaseError as error:
                self._set_aside(path, str(error))
                return self._open(new=new)
            except OSError as error:
                logger.warning("cannot use %s (%s): events wait in memory; %s", path, error.strerror, COST)
            else:
                return database
        self._path = None
        return _connect(None)

    def _set_aside(self, path: Path, reason: str) -> None:
        self.damaged = True
        aside = path.with_name(path.name + ASIDE)
        try:
            path.replace(aside)
            remove_database(path)
            logger.warning("%s cannot be read (%s): it was set aside as %s", path, reason, aside)
        except OSError as error:
            logger.warning("%s cannot be read (%s), and not be set aside: %s", path, reason, error.strerror)
            self._path = None

    def _changed_meanwhile(self, rows: Sequence[Row]) -> None:
        """Process rows in the disk copy that were deleted or changed since they were taken."""
        for row in rows:
            found = self._db.execute("SELECT crc FROM events WHERE run = ? AND last = ?", row.key).fetchone()
            if found is None:
                self._db.execute("INSERT OR IGNORE INTO uncopied VALUES (?, ?)", row.key)
                self.copied -= row.on_disk == ABSENT
            elif found[0] != row.crc:
                self._db.execute("UPDATE events SET on_disk = 1 WHERE run = ? AND last = ?", row.key)
                self._dirty_from = START

    def _count(self) -> None:
        query = "SELECT count(*), sum(length(payload)), count(payload) FROM events"
        rows, size, events = self._db.execute(f"{query} WHERE priority < 2").fetchone()
        (pinned,) = self._db.execute("SELECT count(*) FROM events WHERE priority = 2").fetchone()
        self.rows, self.events, self.size_bytes = rows + pinned, events, (size or 0) + OVERHEAD_BYTES * events
        (self.copied,) = self._db.execute("SELECT count(*) FROM events WHERE on_disk > 0").fetchone()

    def _counted(self, row: Row, sign: int) -> None:
        self.rows += sign
        if row.counts:
            self.events += sign
            self.size_bytes += sign * row.size_bytes

    def _acked(self) -> int:
        query = "SELECT first FROM events WHERE run = ? ORDER BY last LIMIT 1"
        first = self._db.execute(query, (self.run.number,)).fetchone()
        return self.run.last if first is None else first[0] - 1

    def _delete(self, rows: Sequence[Row]) -> None:
        with self.transaction() as db:
            before = db.total_changes
            deleted = db.executemany(
                "DELETE FROM events WHERE run = ? AND last = ?", [row[:2] for row in rows]
            ).rowcount
            self.copied -= db.total_changes - before - deleted  # the trigger's inserts
            if self.run.name:
                self.run.acked = self._acked()
                self._save(self.run)

    def _make_gap(self, row: Row, reason: str, keep: frozenset[Key]) -> Row:
        """See make_gap; the row with the highest key of those that become one takes the place of all."""
        first = row.first
        last = row
        with self.transaction() as db:
            here = f"SELECT {COLUMNS} FROM events WHERE run = ? AND last = ?"  # noqa: S608  constants
            joined = []
            while (found := db.execute(here, (row.run, first - 1)).fetchone()) and _joins(Row(*found), reason, keep):
                joined.append(Row(*found))
                first = joined[-1].first
            behind = db.execute(f"{_AFTER} AND run = ? ORDER BY last LIMIT 1", (*row.key, row.run)).fetchone()
            if behind and Row(*behind).first == row.last + 1 and _joins(Row(*behind), reason, keep):
                last = Row(*behind)
                joined.append(row)
            if joined:
                self._delete(joined)
                self.rows -= len(joined)
            crc = checksum(self.name_of(row.run), last.last, first, reason, None, None, DROP_NEXT)
            db.execute(
                "UPDATE events SET first = ?, reason = ?, payload = NULL, expiry_s = NULL, priority = ?, crc = ?,"
                " on_disk = min(on_disk, 1) WHERE run = ? AND last = ?",
                (first, reason, DROP_NEXT, crc, *last.key),
            )
        if row.counts:
            self.events -= 1
            self.size_bytes -= row.size_bytes
        self._dirty_from = min(self._dirty_from, (row.run, row.last - 1))
        return last._replace(
            first=first, reason=reason, payload=None, expiry_s=None, priority=DROP_NEXT, crc=crc, on_disk=STALE
        )

    def _save(self, run: Run) -> None:
        self._db.execute("REPLACE INTO runs VALUES (?, ?, ?, ?)", seal_run(run))


COST = "if the daemon is killed, these events are lost"


def checksum(  # noqa: PLR0913, PLR0917  a row's columns
    name: str, last: int, first: int, reason: str | None, payload: bytes | None, expiry_s: int | None, priority: int
) -> int:
    """Return the CRC-32 of all that identifies a row and all that is published of it."""
    return zlib.crc32(payload or b"", zlib.crc32(f"{name} {last} {first} {reason} {expiry_s} {priority}".encode()))


def seal(name: str, face: int, uptime_s: float) -> str:
    """Return the uptime of a face's first event with its checksum."""
    text = f"{uptime_s:.3f}"
    return f"{text} {zlib.crc32(f'{name} {face} {text}'.encode())}"


def unseal(name: str, face: int, sealed: str) -> float | None:
    """Return the uptime of `seal`, None if the checksum does not match."""
    with suppress(ValueError):
        uptime_s = float(sealed.partition(" ")[0])
        return uptime_s if seal(name, face, uptime_s) == sealed else None
    return None


def seal_run(run: Run) -> SealedRun:
    """Return a run as a row of the table `runs`."""
    record = msgspec.json.encode(run)
    return run.number, run.name, record, zlib.crc32(record)


def unseal_run(number: int, name: str, record: bytes, crc: int) -> Run | None:
    """Return the record of a run, None if its checksum does not match."""
    if zlib.crc32(record) != crc:
        return None
    try:
        run = decode_json(record, Run)
    except DecodeError:
        return None
    return run if (run.number, run.name) == (number, name) else None


def connect(path: Path | None, *, synchronous: str) -> sqlite3.Connection:
    """Open an SQLite file for this process alone, in WAL mode; None: a database in memory.

    Raises:
        sqlite3.Error: it cannot be used.
    """
    database = sqlite3.connect(path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        database.text_factory = lambda text: text.decode(errors="replace")  # the checksum detects a flipped bit
        database.execute("PRAGMA locking_mode=EXCLUSIVE")  # and no shared memory file beside it
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"PRAGMA synchronous={synchronous}")
        database.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        database.execute("BEGIN IMMEDIATE")
        database.execute("COMMIT")
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the file is damaged")  # noqa: TRY301  closed like the others
    except BaseException:
        database.close()
        raise
    return database


def version_of(database: sqlite3.Connection) -> int:
    """Return the format of a file, 0 of a new one."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def create(database: sqlite3.Connection, script: str) -> None:
    """Make the tables of this format."""
    for statement in script.split(";\nCREATE"):
        database.execute(statement if statement.lstrip().startswith("CREATE") else "CREATE" + statement)
    database.execute(f"PRAGMA user_version={FORMAT}")


def _connect(path: Path | None) -> sqlite3.Connection:
    database = connect(path, synchronous="OFF")
    if version_of(database) != FORMAT:
        try:
            database.execute("BEGIN")
            create(database, TABLES.rstrip() + ";" + OPEN_FACES)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            database.close()
            raise sqlite3.DatabaseError(f"it is of another version: {error}") from error
    return database


def _joins(row: Row, reason: str, keep: frozenset[Key]) -> bool:
    return row.payload is None and row.reason == reason and row.key not in keep


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode, None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_database(path: Path) -> None:
    """Remove a database with what SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            path.with_name(path.name + ending).unlink()


def _boot_id() -> str:
    try:
        return read_regular(BOOT_ID, 64).decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""
