"""What the store on disk does not have yet, or has still: the difference between it and the line. Pure.

Nothing here is written: whoever owns the store takes a batch, writes it, and says whether it was done.
"""

from collections import deque

import msgspec

from fer_edge.deliver.entry import Entry
from fer_edge.values import Message

BATCH_ROWS = 50  # an SD card writes 577 bytes an event in batches of 50, 17 KB in commits of one
BATCH_S = 2.0  # the longest that a batch waits to fill
LATE_S = 5.0  # an event that is not acknowledged for this long goes to disk though there is a link


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is stored; a gap has no message, it is worded when it is sent."""

    row: int
    boot: str
    first: int
    last: int
    reason: str | None
    message: Message | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written in one transaction."""

    rows: tuple[Row, ...]  # to insert or to replace
    gone: tuple[int, ...]  # rows to delete
    entries: tuple[Entry, ...]  # those of `rows`


class Mirror:
    """Not thread-safe; the event line owns it. ``wanted`` is False where there is no store."""

    def __init__(self, *, wanted: bool) -> None:
        self.wanted = wanted
        self._new: deque[Entry] = deque()
        self._changed: dict[int, Entry] = {}
        self._gone: list[int] = []
        self._untidy_since: float | None = None  # monotonic; something on disk is not as it is here
        self.stored = 0  # entries that are on disk and in the line

    def added(self, entry: Entry) -> None:
        """An entry is in the line; one that came from the store is there already."""
        if entry.on_disk:
            self.stored += 1
        elif self.wanted:
            self._new.append(entry)

    def changed(self, entry: Entry, now: float) -> None:
        """An entry is not what it was."""
        if entry.on_disk or entry.writing:
            self._changed[entry.row] = entry
            self._untidy(now)

    def removed(self, entry: Entry, now: float) -> None:
        """An entry has left the line."""
        self._changed.pop(entry.row, None)
        if entry.on_disk:
            self.stored -= 1
            self._gone.append(entry.row)
            self._untidy(now)
        while self._new and self._new[0].gone:
            self._new.popleft()

    def due_at(self, patience_s: float) -> float | None:
        """When (monotonic seconds) the next batch is to be written, if entries may wait for ``patience_s`` first."""
        times = []
        if self._new:
            full = patience_s <= BATCH_S and len(self._new) >= BATCH_ROWS
            times.append(float("-inf") if full else self._new[0].kept_at + patience_s)
        if self._untidy_since is not None:
            full = len(self._gone) + len(self._changed) >= BATCH_ROWS
            times.append(float("-inf") if full else self._untidy_since + BATCH_S)
        return min(times, default=None)

    def take(self, patience_s: float, now: float) -> Batch:
        """The next batch: all that changed or left, and at most BATCH_ROWS new ones."""
        entries = list(self._changed.values())
        most = len(entries) + BATCH_ROWS
        while self._new and len(entries) < most and (patience_s <= BATCH_S or self._new[0].kept_at + patience_s <= now):
            entry = self._new.popleft()
            if not entry.gone:
                entries.append(entry)
        gone = tuple(self._gone)
        self._changed, self._gone, self._untidy_since = {}, [], None
        for entry in entries:
            entry.writing = True
        return Batch(rows=tuple(map(row_of, entries)), gone=gone, entries=tuple(entries))

    def written(self, batch: Batch, now: float) -> None:
        """The batch is on disk; what left the line meanwhile is to leave the disk as well."""
        for entry in batch.entries:
            entry.writing = False
            if entry.gone:
                self._gone.append(entry.row)
                self._untidy(now)
            elif not entry.on_disk:
                self.stored += 1
            entry.on_disk = True

    def failed(self, batch: Batch, now: float) -> None:
        """The batch is not on disk: everything in it is to be written again."""
        for entry in reversed(batch.entries):
            entry.writing = False
            if entry.gone:
                self._changed.pop(entry.row, None)
            elif entry.on_disk:
                self._changed[entry.row] = entry
            else:
                self._changed.pop(entry.row, None)  # if it changed meanwhile: its first writing tells all
                self._new.appendleft(entry)
        self._gone.extend(batch.gone)
        self._untidy(now)

    def forget(self, entries: list[Entry]) -> None:
        """The store was lost, and a new one is empty: ``entries``, all of the line, are not on disk."""
        for entry in entries:
            entry.on_disk = False
        self._new = deque(entries)
        self._changed, self._gone, self._untidy_since, self.stored = {}, [], None, 0

    def _untidy(self, now: float) -> None:
        if self._untidy_since is None:
            self._untidy_since = now


def row_of(entry: Entry) -> Row:
    """The entry as it is stored."""
    message = None if entry.reason is not None else entry.message
    return Row(row=entry.row, boot=entry.boot, first=entry.first, last=entry.last, reason=entry.reason, message=message)
