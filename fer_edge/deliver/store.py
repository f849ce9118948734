"""The events that wait, on disk: one SQLite file in WAL mode, a batch a transaction.

Every commit is flushed to the disk (synchronous=FULL): a transaction that is done survives the plug being pulled. Not
thread-safe: the main thread opens and reads it before the store's thread begins, then hands it over for good.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fer_edge.deliver.mirror import Batch, Row
from fer_edge.deliver.page import Page
from fer_edge.values import Message

FORMAT = 1  # PRAGMA user_version; a file of another format is set aside, not guessed at
WAL_PAGES = 256  # 1 MiB of 4 KiB pages, then it is folded into the file
BUSY_S = 0.5  # another process that looks at the file is waited for this long
ASIDE = ".corrupt"  # what a file that cannot be read is renamed to; the last one is kept
NO_TEXT = "Could not decode to UTF-8"  # how Python's sqlite3 says that a text is none
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    row INTEGER PRIMARY KEY, boot TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT,
    topic TEXT, payload BLOB, expiry_s INTEGER, spare INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS boots (boot TEXT PRIMARY KEY, page BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class StoreTrouble(Exception):  # noqa: N818 - it says what the store is, as Trouble does of the link
    """The store cannot be used now; the message is one line. ``corrupt``: what is in it is not what was written."""

    def __init__(self, text: str, *, corrupt: bool = False) -> None:
        super().__init__(text)
        self.corrupt = corrupt


class Saved(msgspec.Struct, frozen=True):
    """What a store holds."""

    rows: tuple[Row, ...]
    pages: dict[str, Page]


class Store:
    """One file; `open` may be called again after a trouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Saved:
        """Opens the file, makes it where there is none, and reads all that is in it.

        Raises:
            StoreTrouble: it cannot be used.
        """
        self.close()
        with _troubles(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = connection = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, FORMAT):
                raise StoreTrouble(f"{self.path} is of another version of fer-edge", corrupt=True)
            connection.execute(
                "PRAGMA locking_mode=EXCLUSIVE"
            )  # one daemon a file; and no shared memory file beside it
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            with self._transaction() as cursor:
                for statement in SCHEMA.split(";")[:-1]:
                    cursor.execute(statement)
                cursor.execute(f"PRAGMA user_version={FORMAT}")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise StoreTrouble(f"{self.path} is damaged", corrupt=True)
            return self._read()

    def write(self, batch: Batch, pages: Iterable[Page] = (), forget: Iterable[str] = ()) -> None:
        """One transaction: rows in, rows out, what is noted of boots, and boots of which nothing is left.

        Raises:
            StoreTrouble: nothing of it was written.
        """
        with _troubles(self.path), self._transaction() as cursor:
            cursor.executemany("DELETE FROM events WHERE row = ?", [(row,) for row in batch.gone])
            cursor.executemany("REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_values, batch.rows))
            cursor.executemany(
                "REPLACE INTO boots VALUES (?, ?)", [(page.boot, msgspec.json.encode(page)) for page in pages]
            )
            cursor.executemany("DELETE FROM boots WHERE boot = ?", [(boot,) for boot in forget])

    def set_aside(self) -> Path:
        """Renames a file that cannot be read, so that a new one can be made; gives its new name.

        Raises:
            StoreTrouble: not even that can be done.
        """
        self.close()
        aside = self.path.with_name(self.path.name + ASIDE)
        with _troubles(self.path):
            for ending in ("-wal", "-shm", "-journal"):
                self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
            self.path.replace(aside)
        return aside

    def close(self) -> None:
        """Folds the write-ahead log into the file where that is possible, and lets go of it."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _read(self) -> Saved:
        assert self._connection is not None
        rows = [_row(values) for values in self._connection.execute("SELECT * FROM events ORDER BY row")]
        pages = self._connection.execute("SELECT boot, page FROM boots").fetchall()
        return Saved(tuple(rows), {boot: msgspec.json.decode(page, type=Page) for boot, page in pages})

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        if self._connection is None:
            raise StoreTrouble(f"{self.path} is not open")
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                cursor.execute("ROLLBACK")
            raise


@contextmanager
def _troubles(path: Path) -> Iterator[None]:
    """What SQLite and the file system raise, as one line that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if NO_TEXT in str(error):  # a bit of a text has flipped: it will not be better in ten seconds
            raise StoreTrouble(f"{path} is damaged: {error}", corrupt=True) from error
        raise StoreTrouble(f"cannot use {path}: {error}; {_what_to_do(str(error))}") from error
    except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
        raise StoreTrouble(f"{path} is damaged: {error}", corrupt=True) from error
    except OSError as error:
        raise StoreTrouble(f"cannot use {path}: {error.strerror}; {_what_to_do(str(error))}") from error


_CURES: Mapping[str, str] = {
    "full": "make room on the disk",
    "No space": "make room on the disk",
    "locked": "another daemon uses it: give each its own device name",
}


def _what_to_do(error: str) -> str:
    return next((cure for word, cure in _CURES.items() if word in error), "the daemon must be able to write there")


def _values(row: Row) -> tuple[object, ...]:
    head = (row.row, row.boot, row.first, row.last, row.reason)
    message = row.message
    if message is None:
        return (*head, None, None, None, None)
    return (*head, message.topic, message.payload, message.expiry_s, int(message.spare))


def _row(values: tuple[int, str, int, int, str | None, str | None, bytes | None, int | None, int | None]) -> Row:
    row, boot, first, last, reason, topic, payload, expiry_s, spare = values
    message = None
    if topic is not None and payload is not None:
        message = Message(topic, payload, qos=1, expiry_s=expiry_s, seq=last, spare=bool(spare))
    return Row(row=row, boot=boot, first=first, last=last, reason=reason, message=message)
