"""Outbox: everything that waits for the broker, between the main thread and the link's.

Events and gaps are in the journal; here is the send window over it (what is in flight on this connection), the newest
message of each retained topic, and a bounded queue of responses and summaries.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from threading import Lock

import msgspec
from msgspec.structs import replace

from fer_edge.mqtt.journal import (
    CORRUPT,
    CURRENT,
    DROP_FIRST,
    DROP_NEXT,
    EXPIRED,
    NEVER_DROP,
    QUEUE_FULL,
    REFUSED,
    START,
    Journal,
    Key,
    Limits,
    Row,
)
from fer_edge.types import Event, EventKind, Message

CLOSED = -1
GapMessage = Callable[[str, int, int, str], Message]  # run, first seq, last seq, reason
MAX_MESSAGES = 100  # responses and summaries; beyond it the oldest are dropped
MAX_ACKED = 16  # deleted at once: single deletes cost three times as much; until then a killed daemon sends them again
BURST_S = 0.1  # of the replay rate may be sent at once


class InFlight(msgspec.Struct, frozen=True):
    """One message in flight; ``key`` identifies its acknowledgement, None without one (QoS 0)."""

    key: int | None
    message: Message


class Wakeup:
    """File descriptor that wakes a thread in `select`.

    Any thread rings, one thread waits and clears, and the owner closes it when no thread waits any more.
    """

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # os.close releases the GIL: without the lock a ring in that moment writes to the next file of that number.
        self._lock = Lock()

    def fileno(self) -> int:
        """Return the descriptor for select."""
        return self._fd

    def ring(self) -> None:
        """Wake the thread that waits, or the next one that will; never blocks. No effect once it is closed."""
        with self._lock:
            if self._fd != CLOSED:
                os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        """Reset the descriptor."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return  # it was not rung

    def close(self) -> None:
        """Close the descriptor; a second call has no effect, its number may belong to another file by then."""
        with self._lock:
            if self._fd != CLOSED:
                fd, self._fd = self._fd, CLOSED
                os.close(fd)


class QueueCounts(msgspec.Struct, frozen=True):
    """Counts of events since the start, and the state of the disk copy."""

    depth: int  # waiting or in flight now; a gap counts as one
    acknowledged: int
    dropped: int  # no room, or expired
    refused: int  # by the broker
    stored: int = 0  # of the depth, on disk now
    store: str = ""  # state of the disk copy, one line for people


class TokenBucket:
    """Rate limiter of a backlog. Not thread-safe."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._most = max(1.0, rate_hz * BURST_S)
        self._tokens = self._most
        self._counted_at = float("-inf")

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._count(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self, now: float) -> float:
        """Return the seconds until there is a token."""
        self._count(now)
        return max(0.0, (1.0 - self._tokens) / self._rate_hz)

    def _count(self, now: float) -> None:
        if now > self._counted_at:
            passed_s = min(now - self._counted_at, BURST_S + 1.0 / self._rate_hz)
            self._tokens = min(self._most, self._tokens + passed_s * self._rate_hz)
            self._counted_at = now


class EventWindow:
    """Send window over the journal: rows in flight, rows on hold, bounds, expiry. The outbox owns it, under its lock.

    ``gap_message`` makes the message of a gap, ``mark_replayed`` marks an event that is older than the connection.
    """

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        gap_message: GapMessage,
        mark_replayed: Callable[[Message], Message],
        topic: str,
    ) -> None:
        self.journal = journal
        self._limits = limits
        self._gap_message, self._mark_replayed, self._topic = gap_message, mark_replayed, topic
        # At most half of the queue is in flight, and never dropped: there is always something to drop.
        self._most_in_flight = max(1, limits.events // 2)
        self._bucket = TokenBucket(limits.replay_hz)
        self._in_flight: dict[int, Row] = {}  # by the key of the message in flight
        self._acked: list[Row] = []  # acknowledged, and not deleted yet
        # Rejected rows, each with the newest seq of then: they are sent again in front of a newer event.
        self._held: dict[Key, int] = {}
        self._cursor = START  # everything up to it is in flight or on hold
        self._drop_from = {DROP_FIRST: START, DROP_NEXT: START}  # no event of that priority waits up to there
        self._late_to: Key = START  # rows up to it are older than the connection
        self._expires_at = float("-inf")  # nothing expires before
        self._is_paced = False  # the last `due` ended for want of a token
        self.sent = self.dropped = self.refusals = 0

    def put(self, message: Message, now: float, *, pinned: bool, event: Event | None, uptime_s: float) -> None:
        """Insert an event into the journal and drop what there is no room for."""
        assert message.seq is not None, "only events are in the journal"
        dropped_after = DROP_FIRST if message.droppable else DROP_NEXT
        self.journal.put(
            self.journal.run,
            message.seq,
            message.seq,
            message.payload,
            kept_at=now,
            expiry_s=message.expiry_s,
            priority=NEVER_DROP if pinned else dropped_after,
            face=None if event is None else event.face,
            gone=event is not None and event.kind is EventKind.GONE,
            uptime_s=uptime_s,
        )
        if message.expiry_s is not None:
            self._expires_at = min(self._expires_at, now + message.expiry_s)
        self._expire(now)
        if self._is_overfull():
            self.flush()
            while self._is_overfull() and self._drop_one():
                pass

    def rewind(self) -> None:
        """Start again at the oldest row: older rows may have been added."""
        self.flush()
        self._cursor = START
        self._drop_from = {DROP_FIRST: START, DROP_NEXT: START}
        self._expires_at = float("-inf")

    def requeue(self) -> None:
        """Return what is in flight to the queue: the connection ended."""
        self._in_flight.clear()
        self.rewind()

    def on_connected(self) -> None:
        """Make everything due, marked as replayed."""
        self.requeue()
        self._held.clear()
        self._late_to = (self.journal.run.number, self.journal.run.last)

    def due(self, room: int, now: float, keys: Iterator[int], *, stored_only: bool) -> list[InFlight]:
        """Return the next messages, which are in flight from now on."""
        self._expire(now)
        self._is_paced = False
        newest = self.journal.run.last
        if any(newest > since for since in self._held.values()):
            self.flush()
            self._cursor = START
        busy = {row.key for row in self._in_flight.values()}
        room = min(room, self._most_in_flight - len(busy))
        messages: list[InFlight] = []
        while (wanted := room - len(messages)) > 0:
            rows = self.journal.after(self._cursor, wanted)
            for row in rows:
                if row.key not in busy and self._held.get(row.key, -1) < newest:
                    if stored_only and row.on_disk != CURRENT:
                        return messages
                    if row.key <= self._late_to and not self._bucket.take(now):
                        self._is_paced = True
                        return messages
                    messages.append(self._send(row, now, next(keys)))
                self._cursor = row.key
            if len(rows) < wanted:
                break
        return messages

    def wait_s(self, room: int, now: float) -> float:
        """Return the seconds until a token lets more of a backlog go; infinite where time alone changes nothing."""
        if room <= 0 or not self._is_paced or len(self._in_flight) >= self._most_in_flight:
            return float("inf")
        return self._bucket.wait_s(now)

    def acknowledged(self, key: int) -> None:
        """Settle a row; keys of an earlier connection are ignored."""
        row = self._in_flight.pop(key, None)
        if row is not None:
            self.sent += row.reason is None
            self._acked.append(row)
            if not self._in_flight or len(self._acked) >= MAX_ACKED:
                self.flush()

    def refused(self, key: int) -> None:
        """Make a gap of a rejected event, to be sent in front of the next event; what is never dropped stays."""
        row = self._in_flight.pop(key, None)
        if row is None:
            return
        self.flush()
        self.refusals += row.counts
        place = row.key
        if row.priority < NEVER_DROP:
            place = self._make_gap(row, row.reason or REFUSED).key
        self._held[place] = self.journal.run.last

    def is_idle(self) -> bool:
        """Return whether nothing is in flight and nothing may be sent."""
        self.flush()
        newest = self.journal.run.last
        ready = any(newest > since for since in self._held.values())
        return not self._in_flight and not ready and not self.journal.is_beyond(self._cursor)

    def flush(self) -> None:
        """Delete what was acknowledged."""
        if self._acked:
            rows, self._acked = self._acked, []
            self.journal.delete(rows)

    def _send(self, row: Row, now: float, key: int) -> InFlight:
        name = self.journal.name_of(row.run)
        if not row.is_sound(name):
            row = self._make_gap(row, CORRUPT)
        self._held.pop(row.key, None)
        self._in_flight[key] = row
        if row.payload is None:
            return InFlight(key, self._gap_message(name, row.first, row.last, row.reason or QUEUE_FULL))
        expiry_s = row.expiry_s
        if expiry_s is not None:
            expiry_s = max(1, expiry_s - int(now - row.kept_at))  # 0 would expire before it is delivered
        message = Message(self._topic, row.payload, expiry_s=expiry_s, seq=row.last)
        return InFlight(key, self._mark_replayed(message) if row.key <= self._late_to else message)

    def _make_gap(self, row: Row, reason: str) -> Row:
        """Make one gap of the row and of those beside it, whose holds end."""
        gap = self.journal.make_gap(row, reason, [one.key for one in self._in_flight.values()])
        for key in [key for key in self._held if key[0] == gap.run and gap.first <= key[1] <= gap.last]:
            del self._held[key]
        return gap

    def _is_overfull(self) -> bool:
        return self.journal.events > self._limits.events or self.journal.size_bytes > self._limits.size_bytes

    def _drop_one(self) -> bool:
        """Make a gap of the oldest event of the lowest priority; False where all that is left is in flight."""
        busy = {row.key for row in self._in_flight.values()}
        for priority, hint in self._drop_from.items():
            row = self.journal.oldest(hint, (priority,))
            while row is not None and row.key in busy:
                row = self.journal.oldest(row.key, (priority,))
            self._drop_from[priority] = row.key if row else (self.journal.run.number, self.journal.run.last)
            if row is not None:
                self.dropped += 1
                self._make_gap(row, QUEUE_FULL)
                return True
        return False

    def _expire(self, now: float) -> None:
        """Make gaps of the events at the head of the queue that have expired."""
        if now < self._expires_at:
            return
        self.flush()
        busy = {row.key for row in self._in_flight.values()}
        key = START
        while (row := self.journal.oldest(key, (DROP_FIRST, DROP_NEXT))) is not None:
            key = row.key
            if key in busy:
                continue
            if row.expiry_s is None or now < row.kept_at + row.expiry_s:
                self._expires_at = float("inf") if row.expiry_s is None else row.kept_at + row.expiry_s
                return
            self.dropped += 1
            self._make_gap(row, EXPIRED)
        self._expires_at = float("inf")


class _Retained(msgspec.Struct, eq=False):
    message: Message
    due: bool = True
    key: int | None = None  # None: not in flight


class RetainedCache:
    """Newest message of each retained topic: a broker may come back empty. The outbox owns it, under its lock.

    ``first`` are the topics that are sent first, in order.
    """

    def __init__(self, first: Sequence[str]) -> None:
        self._cache: dict[str, _Retained | None] = dict.fromkeys(first)

    def put(self, message: Message) -> None:
        """Replace the message of its topic."""
        self._cache[message.topic] = _Retained(message)

    def repeat(self, topics: Sequence[str] | None = None) -> None:
        """Make ``topics``, or all, due once more."""
        for one in self._present():
            if topics is None or one.message.topic in topics:
                one.due, one.key = True, None

    def drop_unacknowledged(self) -> None:
        """Drop what is of QoS 0: it would be old on the next connection."""
        for one in self._present():
            if not one.message.qos:
                self._cache[one.message.topic] = None

    def due(self, room: int, keys: Iterator[int]) -> list[InFlight]:
        """Return the next messages, which are in flight from now on."""
        waiting = [one for one in self._present() if one.due][:room]
        for one in waiting:
            one.due = False
            if one.message.qos:
                one.key = next(keys)
            else:
                self._cache[one.message.topic] = None
        return [InFlight(one.key, one.message) for one in waiting]

    def answered(self, key: int) -> None:
        """Record that the broker accepted or rejected a message; it stays for the next connection."""
        for one in self._present():
            if one.key == key:
                one.key = None

    def is_idle(self) -> bool:
        """Return whether nothing is in flight and nothing is due."""
        return not any(one.due or one.key is not None for one in self._present())

    def _present(self) -> list[_Retained]:
        return [one for one in self._cache.values() if one is not None]


class _Queued(msgspec.Struct, eq=False):
    message: Message
    kept_at: float  # seconds, monotonic
    key: int | None = None  # None: not in flight


class MessageQueue:
    """Bounded FIFO of responses and summaries; each stays until it is answered or expired. The outbox owns it."""

    def __init__(self) -> None:
        self._queue: deque[_Queued] = deque(maxlen=MAX_MESSAGES)

    def put(self, message: Message, now: float) -> None:
        """Append a message; if there is no room the oldest is dropped."""
        self._queue.append(_Queued(message, now))

    def requeue(self) -> None:
        """Return what is in flight to the queue: the connection ended."""
        for one in self._queue:
            one.key = None

    def due(self, room: int, now: float, keys: Iterator[int]) -> list[InFlight]:
        """Return the next messages, which are in flight from now on; drop what has expired."""
        messages: list[InFlight] = []
        for one in [one for one in self._queue if one.key is None]:
            expiry_s = one.message.expiry_s
            left_s = None if expiry_s is None else expiry_s - int(now - one.kept_at)
            if left_s is not None and left_s <= 0:
                self._queue.remove(one)
            elif len(messages) < room:
                one.key = next(keys)
                messages.append(InFlight(one.key, replace(one.message, expiry_s=left_s)))
        return messages

    def answered(self, key: int) -> None:
        """Drop a message that the broker accepted or rejected."""
        for one in self._queue:
            if one.key == key:
                self._queue.remove(one)
                return

    def is_idle(self) -> bool:
        """Return whether it is empty."""
        return not self._queue


class Outbox:
    """Thread-safe by one lock, taken before the journal's and never held while a disk or the network works.

    The main thread puts; the link's thread sends and reports what the broker answered.
    """

    def __init__(  # noqa: PLR0913, PLR0917  its parts
        self,
        journal: Journal,
        limits: Limits,
        gap_message: GapMessage,
        mark_replayed: Callable[[Message], Message],
        topic: str,
        first: Sequence[str] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._keys = count(1)
        self._window = EventWindow(journal, limits, gap_message, mark_replayed, topic)
        self._retained = RetainedCache(first)
        self._messages = MessageQueue()
        self._connected = False
        self._store = ""
        self.stored_only = False  # events wait for the disk copy; set by the spool

    def put(
        self, message: Message, now: float, *, pinned: bool = False, event: Event | None = None, uptime_s: float = 0.0
    ) -> None:
        """Keep an event until the broker acknowledges it; if there is no room a gap replaces others.

        A ``pinned`` event does not count against the limit, does not expire and is retried after a rejection.
        """
        with self._lock:
            self._window.put(message, now, pinned=pinned, event=event, uptime_s=uptime_s)

    def rows_added(self) -> None:
        """Include rows of earlier runs that were added to the journal."""
        with self._lock:
            self._window.rewind()

    def retain(self, message: Message) -> None:
        """Keep the newest message of its topic; one of QoS 0 only while there is a connection."""
        with self._lock:
            if message.qos or self._connected:
                self._retained.put(message)

    def post(self, message: Message, now: float) -> None:
        """Keep a response or a summary until the broker acknowledges it or it expires."""
        with self._lock:
            self._messages.put(message, now)

    def repeat(self, topics: Sequence[str]) -> None:
        """Make the retained messages of ``topics`` due once more."""
        with self._lock:
            self._retained.repeat(topics)

    def connected(self, now: float) -> None:  # noqa: ARG002  the link's moment; nothing here depends on it
        """Make all that is not acknowledged due, and all that is retained."""
        with self._lock:
            self._connected = True
            self._window.on_connected()
            self._retained.repeat()

    def disconnected(self) -> None:
        """Requeue what was in flight."""
        with self._lock:
            self._connected = False
            self._window.requeue()
            self._retained.drop_unacknowledged()
            self._messages.requeue()

    @property
    def is_connected(self) -> bool:
        """True while there is a connection."""
        return self._connected

    def due(self, room: int, now: float) -> list[InFlight]:
        """Return what is to be sent now: retained messages, responses and summaries, then events in their order."""
        with self._lock:
            messages = self._retained.due(room, self._keys)
            messages += self._messages.due(room - len(messages), now, self._keys)
            return messages + self._window.due(room - len(messages), now, self._keys, stored_only=self.stored_only)

    def wait_s(self, room: int, now: float) -> float:
        """Return the seconds until more of a backlog may be sent; infinite where only a wakeup can change that."""
        with self._lock:
            return self._window.wait_s(room, now)

    def acknowledged(self, key: int, now: float) -> None:  # noqa: ARG002  as connected
        """Settle a message; an event leaves the journal with the next call that needs it gone."""
        with self._lock:
            self._window.acknowledged(key)
            self._retained.answered(key)
            self._messages.answered(key)

    def refused(self, key: int, now: float) -> None:  # noqa: ARG002  as connected
        """Settle a rejected message."""
        with self._lock:
            self._window.refused(key)
            self._retained.answered(key)
            self._messages.answered(key)

    def idle(self) -> bool:
        """Return whether nothing is in flight and nothing is due."""
        with self._lock:
            return self._window.is_idle() and self._retained.is_idle() and self._messages.is_idle()

    def tally(self) -> QueueCounts:
        """Return the counts for `health`."""
        with self._lock:
            window = self._window
            window.flush()
            stored = window.journal.copied
            return QueueCounts(window.journal.rows, window.sent, window.dropped, window.refusals, stored, self._store)

    def set_store(self, text: str) -> None:
        """Set the state of the disk copy, for `health`."""
        with self._lock:
            self._store = text
