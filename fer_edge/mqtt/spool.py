"""Disk copy of the journal, and the thread that writes it: one SQLite file in WAL mode, every commit flushed.

Rows are copied when the link has been down for two seconds, when an acknowledgement is five seconds late, and at a
stop; with `strict` at once, and nothing is published before.
"""

import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from fer_edge.mqtt.journal import (
    ASIDE,
    COLUMNS,
    FORMAT,
    TABLES,
    Batch,
    Journal,
    Key,
    Row,
    Run,
    SealedRun,
    connect,
    create,
    identity,
    remove_database,
    transaction,
    unseal_run,
    version_of,
)
from fer_edge.mqtt.outbox import Outbox
from fer_edge.untrusted import DecodeError, decode_json, read_regular

logger = logging.getLogger(__name__)

BATCH_ROWS = 50  # an SD card writes 577 bytes an event in batches of 50, 17 KB in commits of one
BATCH_S = 2.0  # the longest that a batch waits to fill
LATE_S = 5.0  # age of an event that is copied although there is a connection
POLL_S = 0.5
RETRY_S = 10.0  # after a failure, until the disk is tried again
STRICT_RETRY_S = 1.0  # the same where events wait for it
MEMORY_ONLY = "events wait in memory only: "
MARK_SUFFIX = ".mark"
MARK_BYTES = 128
REPLACED = "was deleted or replaced while the daemon runs; what waits is written anew"


class StoreError(Exception):
    """The disk copy cannot be used now; the message is one line. ``again``: a new file can be made at once."""

    def __init__(self, text: str, *, corrupt: bool = False, again: bool = False) -> None:
        super().__init__(text)
        self.corrupt = corrupt
        self.again = corrupt or again


class Mark(msgspec.Struct, frozen=True):
    """Record beside the disk copy that detects missing commits."""

    run: str
    last: int  # seq


class Saved(msgspec.Struct, kw_only=True):
    """Content of a disk copy as it was opened."""

    runs: list[tuple[int, str, Run | None]] = []  # None: the record cannot be read
    rows: list[Row] = []
    mark: Mark | None = None
    damaged: bool = False  # what was here cannot be read, or is gone


class DiskCopy:
    """SQLite file; `open` may be called again after a failure. Not thread-safe: main thread until the spool runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = path.with_name(path.name + "-wal")
        self._mark = path.with_name(path.stem + MARK_SUFFIX)
        self._db: sqlite3.Connection | None = None
        self._identities: tuple[tuple[int, int] | None, ...] = ()
        self._convert = False

    def open(self, read_older: Callable[[sqlite3.Connection], Saved]) -> Saved:
        """Open the file, or make it, and read all that is in it; ``read_older`` reads one of format 1.

        Raises:
            StoreError: it cannot be used.
        """
        self.close()
        with self._store_errors():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            was_here = self.path.exists()
            mark = self._read_mark()
            self._db = database = connect(self.path, synchronous="FULL")
            version = version_of(database)
            if version not in (0, 1, FORMAT):
                raise StoreError(f"{self.path} is of another version of fer-edge", corrupt=True)
            self._convert = version == 1
            if version == 0:
                with self._transaction():
                    create(database, TABLES)
            saved = read_older(database) if self._convert else _read(database)
            saved.mark, saved.damaged = mark, mark is not None and not was_here
            if saved.damaged:
                logger.warning("%s is missing: what was in it is not known", self.path)
            self._identities = self._identify()
        return saved

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction, then the mark.

        Raises:
            StoreError: the batch is not in the file that the next start reads.
        """
        with self._store_errors():
            with self._transaction() as db:
                if self._convert:
                    db.execute("DROP TABLE events")
                    db.execute("DROP TABLE IF EXISTS boots")
                    create(db, TABLES)
                db.executemany("DELETE FROM events WHERE run = ? AND last = ?", batch.settled)
                db.executemany(
                    "REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL, NULL)",
                    [row[:9] for row in batch.rows],
                )
                there = set(db.execute("SELECT * FROM runs"))
                db.executemany("DELETE FROM runs WHERE number = ?", [run[:1] for run in there - set(batch.runs)])
                db.executemany("INSERT INTO runs VALUES (?, ?, ?, ?)", set(batch.runs) - there)
            self._convert = False
            if not self.is_intact():
                raise StoreError(f"{self.path} {REPLACED}", again=True)
            self._write_mark(batch.runs)

    def is_intact(self) -> bool:
        """Return whether the open file is the one that the next start finds."""
        now = self._identify()
        if len(self._identities) > 1 and self._identities[1] is None:
            self._identities = (self._identities[0], now[1])
        return now == self._identities

    def set_aside(self) -> None:
        """Rename a file that cannot be read, so that a new one can be made."""
        self.close()
        aside = self.path.with_name(self.path.name + ASIDE)
        try:
            self.path.replace(aside)
            remove_database(self.path)
            logger.warning("the store cannot be read: it was set aside as %s, and a new one is made", aside)
        except OSError as error:
            logger.warning("the store cannot be read, and not be set aside: %s", error.strerror)

    def close(self) -> None:
        """Copy the write-ahead log into the file where that is possible, and close it."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _identify(self) -> tuple[tuple[int, int] | None, ...]:
        return identity(self.path), identity(self._log)

    def _read_mark(self) -> Mark | None:
        with suppress(OSError, DecodeError):
            text, _, crc = read_regular(self._mark, MARK_BYTES).rstrip().rpartition(b" ")
            if str(zlib.crc32(text)).encode() == crc:
                return decode_json(text, Mark)
        return None

    def _write_mark(self, runs: Sequence[SealedRun]) -> None:
        """Record the newest run; without a flush, so that it costs no commit of its own."""
        if not runs:
            self._mark.unlink(missing_ok=True)
            return
        newest = unseal_run(*max(runs))
        assert newest is not None, "sealed a moment ago"
        text = msgspec.json.encode(Mark(newest.name, newest.last))
        handle = os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, (text + b" %d" % zlib.crc32(text)).ljust(MARK_BYTES), 0)
        finally:
            os.close(handle)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._db is None:
            raise StoreError(f"{self.path} is not open")
        with transaction(self._db):
            yield self._db

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Convert errors of SQLite and the file system to a StoreError with a cure."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                raise StoreError(f"{self.path} is of another version of fer-edge: {error}", corrupt=True) from error
            raise StoreError(f"cannot use {self.path}: {error}; {_cure(str(error))}") from error
        except (sqlite3.Error, TypeError, ValueError) as error:  # the last two: columns of other types
            raise StoreError(f"{self.path} is damaged: {error}", corrupt=True) from error
        except OSError as error:
            raise StoreError(f"cannot use {self.path}: {error.strerror}; {_cure(str(error))}") from error


class Spool:
    """Thread that keeps the disk copy. The main thread calls `open`, `start`, `check`, `stop`; any thread `ring`.

    ``found`` receives the content of a copy each time it is opened, before anything is written to it; ``wake`` wakes
    the link if more may be sent. Without a ``copy`` there is nothing to do.
    """

    def __init__(  # noqa: PLR0913  keyword arguments
        self,
        copy: DiskCopy | None,
        journal: Journal,
        outbox: Outbox,
        *,
        strict: bool,
        found: Callable[[Saved], None],
        read_older: Callable[[sqlite3.Connection], Saved],
        wake: Callable[[], None],
    ) -> None:
        self._copy = copy
        self._journal = journal
        self._outbox = outbox
        self._strict = strict
        self._found = found
        self._read_older = read_older
        self._wake = wake
        self._is_open = False
        self._is_fresh = True  # nothing was written since it was opened
        self._was_damaged = False
        self._error = ""
        self._retry_s = STRICT_RETRY_S if strict else RETRY_S
        self._retry_at = float("-inf")
        self._untidy_since = float("inf")  # the copy has rows that were acknowledged
        self._is_kept = False  # the copy is closed and complete
        self._rung = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def open(self) -> bool:
        """Open the disk copy for the first time; return whether ``found`` received its content."""
        if self._copy is not None:
            self._attempt(lambda: self._open(self._copy))
        self._report(self._error)
        return self._is_open

    def start(self) -> None:
        """Write what was recovered of earlier runs before any of it is published; then start the thread."""
        if self._is_open:
            self._attempt(self._sync)
        self._thread.start()

    def ring(self) -> None:
        """Wake the thread where rows must be on disk before they are published."""
        if self._strict:
            self._rung.set()

    def check(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout_s: float) -> bool:
        """Write all that waits within ``timeout_s``; return whether everything is acknowledged or on disk."""
        self._stopping.set()
        self._rung.set()
        self._thread.join(timeout_s)
        if self._copy is None:
            return not self._outbox.tally().depth
        return self._is_kept and not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._rung.wait(POLL_S)
                self._rung.clear()
                if self._copy is not None and time.monotonic() >= self._retry_at:
                    self._attempt(self._sync)
            if self._copy is not None:
                self._attempt(lambda: self._sync(final=True))
        except BaseException as error:  # noqa: BLE001  raised in the main thread by `check`
            self._failure = error

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do ``work``, once more where the file has to be made anew, and later where the disk fails."""
        assert self._copy is not None
        for _ in range(2):
            try:
                work()
            except StoreError as error:
                self._is_open = False
                self._copy.close()
                self._report(str(error))
                self._retry_at = time.monotonic() + self._retry_s
                if error.corrupt:
                    self._was_damaged = True
                    self._copy.set_aside()
                if not error.again:
                    break
            else:
                break
        self._wake()

    def _open(self, copy: DiskCopy | None) -> None:
        assert copy is not None
        saved = copy.open(self._read_older)
        saved.damaged |= self._was_damaged
        self._found(saved)
        self._was_damaged = False
        self._is_open = self._is_fresh = True

    def _sync(self, *, final: bool = False) -> None:
        """Write what is due, everything where the copy is fresh or ``final``."""
        assert self._copy is not None
        now = time.monotonic()
        if not self._is_open:
            self._open(self._copy)
        elif not self._copy.is_intact():
            raise StoreError(f"{self._copy.path} {REPLACED}", again=True)
        max_age_s = self._max_age_s()
        everything = final or self._is_fresh
        if everything or self._is_due(max_age_s, now):
            kept_before = float("inf") if everything or max_age_s <= BATCH_S else now - max_age_s
            batch = self._journal.take(kept_before, exact=self._strict, final=final)
            self._copy.write(batch)
            self._journal.written(batch)
            self._is_fresh, self._untidy_since = False, float("inf")
            self._outbox.stored_only = self._strict
        if self._error:  # not as soon as it opens: a full disk does that, and would be logged at each attempt
            self._report("")
        if final:  # read again: the journal goes when the copy has it all
            saved = self._copy.open(self._read_older)
            self._copy.close()
            kept = len(saved.rows) == self._journal.rows == self._journal.match(copied_rows(saved))
            self._is_kept = kept and all(run is not None for *_, run in saved.runs)

    def _is_due(self, max_age_s: float, now: float) -> bool:
        if settled := self._journal.to_delete():
            self._untidy_since = min(self._untidy_since, now)
            if settled >= BATCH_ROWS or now - self._untidy_since >= BATCH_S:
                return True
        rows, kept_at = self._journal.to_copy(BATCH_ROWS)
        return rows > 0 and (kept_at + max_age_s <= now or (rows == BATCH_ROWS and max_age_s <= BATCH_S))

    def _max_age_s(self) -> float:
        """Return how long an event may wait before it is copied."""
        if self._strict:
            return 0.0
        return LATE_S if self._outbox.is_connected else BATCH_S

    def _report(self, error: str) -> None:
        """Set the state for `health`, and log it when it changes."""
        if error != self._error:
            if error:
                logger.warning("%s%s", MEMORY_ONLY, error)
            else:
                logger.info("the disk copy works again")
        self._error = error
        where = "memory" if self._copy is None else f"memory and {self._copy.path}"
        self._outbox.set_store(MEMORY_ONLY + error if error else where)


_CURES: Mapping[str, str] = {
    "full": "make room on the disk",
    "No space": "make room on the disk",
    "locked": "another daemon uses it: give each its own device name",
}


def _cure(error: str) -> str:
    return next((cure for word, cure in _CURES.items() if word in error), "the daemon must be able to write there")


def _read(database: sqlite3.Connection) -> Saved:
    runs = database.execute("SELECT number, name, record, crc FROM runs ORDER BY number").fetchall()
    rows = database.execute(f"SELECT {COLUMNS} FROM events ORDER BY run, last").fetchall()  # noqa: S608  constants
    return Saved(
        runs=[(number, name, unseal_run(number, name, record, crc)) for number, name, record, crc in runs],
        rows=[Row(*row) for row in rows],
    )


def copied_rows(saved: Saved) -> dict[Key, int]:
    """Return the checksum of each row of a copy, by its key."""
    return {row.key: row.crc for row in saved.rows}
