"""What has not been acknowledged yet: the one place that holds it, between the threads of main, link and store."""

from collections.abc import Callable, Sequence
from itertools import count
from threading import Lock
from typing import Literal

import msgspec

from fer_edge.deliver.entry import Entry, Limits
from fer_edge.deliver.event_line import EventLine, Word
from fer_edge.deliver.letters import Letters
from fer_edge.deliver.mirror import BATCH_S, LATE_S, Batch, Mirror
from fer_edge.deliver.parcel import Parcel
from fer_edge.deliver.retained import Retained
from fer_edge.values import Message

Durability = Literal["default", "strict", "memory"]


class Tally(msgspec.Struct, frozen=True):
    """What became of the events since the start."""

    depth: int  # waiting or on their way now; a gap counts as one
    acknowledged: int
    dropped: int  # for want of room, or of age
    refused: int  # by the broker
    stored: int = 0  # of the depth, on disk now
    store: str = ""  # how the store is, one line for people


class Outbox:
    """Thread-safe by one lock, which nobody holds while waiting for a disk or the network.

    The main thread puts, the link's thread sends and reports what the broker said, the store's thread takes batches to
    write. ``first`` names the retained topics that are sent first after a connect, in order; ``word`` makes the message
    of a gap and ``mark_late`` marks an event that was made before the link that carries it; ``boot`` is this run's name
    and ``waiting`` what earlier ones left, ``first_row`` the first name in the store that nobody has. ``note`` is told
    up to which seq of this boot nothing waits any more.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by name
        self,
        limits: Limits,
        word: Word,
        mark_late: Callable[[Message], Message],
        first: Sequence[str] = (),
        *,
        boot: str = "",
        waiting: Sequence[Entry] = (),
        first_row: int = 1,
        durability: Durability = "memory",
        note: Callable[[int], None] = lambda _seq: None,
    ) -> None:
        keys = count(1)
        self._lock = Lock()
        self._durability = durability
        self._mirror = Mirror(wanted=durability != "memory")
        self._line = EventLine(
            limits, word, mark_late, keys, self._mirror, boot=boot, waiting=waiting, first_row=first_row
        )
        self._retained = Retained(first, keys)
        self._letters = Letters(keys)
        self._note = note
        self._connected = self._stopping = False
        self._store_worked = False
        self._store = ""

    def put(self, message: Message, now: float, *, owed: bool = False) -> None:
        """Keeps an event until the broker has it; where there is no room others go and a gap says so.

        What is ``owed`` never goes for want of room, of age, or because it is refused.
        """
        with self._lock:
            self._line.put(message, now, owed=owed)

    def precede(self, entries: Sequence[Entry]) -> None:
        """What earlier boots left and was found late, in order: it goes before everything that waits."""
        with self._lock:
            self._line.precede(entries)

    def retain(self, message: Message) -> None:
        """Keeps the newest message of its topic; one of QoS 0 only while there is a link, it would be old later."""
        with self._lock:
            if message.qos or self._connected:
                self._retained.put(message)

    def post(self, message: Message, now: float) -> None:
        """Keeps what is neither an event nor retained until the broker has it or it is too old."""
        with self._lock:
            self._letters.put(message, now)

    def repeat(self, topics: Sequence[str]) -> None:
        """Makes what is retained of ``topics`` due once more: somebody who was not there before wants it."""
        with self._lock:
            self._retained.repeat(topics)

    def connected(self, now: float) -> None:
        """A link is there: everything that is not acknowledged is due, and all that is retained once more."""
        with self._lock:
            self._connected = True
            self._line.recall(now)
            self._retained.recall()

    def disconnected(self) -> None:
        """The link is gone: what was on its way is waiting again."""
        with self._lock:
            self._connected = False
            self._line.land()
            self._retained.forget_passing()
            self._letters.land()

    def due(self, room: int, now: float) -> list[Parcel]:
        """What is to be sent now, at most ``room``: retained messages, letters, then events in their order."""
        with self._lock:
            parcels = self._retained.due(room)
            parcels += self._letters.due(room - len(parcels), now)
            return parcels + self._line.due(room - len(parcels), now, stored_only=self._stored_only())

    def wait_s(self, room: int, now: float) -> float:
        """How long the link, which has ``room``, may sleep before more of a backlog may go; infinite where only news
        can wake it.
        """
        with self._lock:
            return self._line.wait_s(room, now, stored_only=self._stored_only())

    def acknowledged(self, key: int, now: float) -> None:
        """The broker has it."""
        with self._lock:
            self._line.acknowledged(key, now)
            if (seq := self._line.acknowledged_to) is not None:
                self._note(seq)
            self._retained.answered(key)
            self._letters.answered(key)

    def refused(self, key: int, now: float) -> None:
        """The broker will not have it, however often it is asked."""
        with self._lock:
            self._line.refused(key, now)
            self._retained.answered(key)
            self._letters.answered(key)

    def idle(self) -> bool:
        """Whether nothing is on its way and nothing is due."""
        with self._lock:
            return self._line.idle() and self._retained.idle() and self._letters.idle()

    def tally(self) -> Tally:
        """The figures for `health`."""
        with self._lock:
            line = self._line
            stored = self._mirror.stored
            return Tally(len(line), line.sent, line.dropped, line.refusals, stored, self._store)

    def store_is(self, text: str, *, works: bool) -> None:
        """How the store is.

        Where it never worked nothing waits for it, whatever the durability. Where it did, what is noted in it of this
        boot ends at the last event in it: under `strict` later ones wait, or the next boot would give their numbers to
        others.
        """
        with self._lock:
            self._store = text
            self._store_worked = self._store_worked or works

    def stopping(self) -> None:
        """From now on what waits is to be on disk as soon as can be."""
        with self._lock:
            self._stopping = True

    def all_stored(self) -> bool:
        """Whether the disk has all that waits, as it is."""
        with self._lock:
            return self._mirror.stored == len(self._line) and self._mirror.due_at(0.0) is None

    def batch_due_at(self) -> float | None:
        """When (monotonic seconds) the next batch is to be written as things are; None: there is nothing to write."""
        with self._lock:
            return self._mirror.due_at(self._patience_s())

    def take_batch(self, now: float) -> Batch:
        """What is to be written now; to be answered by `written` or `failed`."""
        with self._lock:
            return self._mirror.take(self._patience_s(), now)

    def written(self, batch: Batch, now: float) -> None:
        """The batch is on disk."""
        with self._lock:
            self._mirror.written(batch, now)

    def failed(self, batch: Batch, now: float) -> None:
        """The batch is not."""
        with self._lock:
            self._mirror.failed(batch, now)

    def store_was_lost(self) -> None:
        """What was on disk is not there any more; all that waits is to be written anew."""
        with self._lock:
            self._mirror.forget(self._line.entries)

    def paid(self) -> list[str]:
        """Earlier boots of which nothing waits any more, each told once."""
        with self._lock:
            return self._line.paid()

    def _stored_only(self) -> bool:
        """Whether an event must be on disk before it is sent."""
        return self._durability == "strict" and self._store_worked

    def _patience_s(self) -> float:
        """How long an event may wait in memory before it goes to disk."""
        if self._durability == "strict" or self._stopping:
            return 0.0
        return LATE_S if self._connected else BATCH_S
