"""What has not been acknowledged yet: the one place that holds it, between the main thread and the link's."""

from collections.abc import Callable, Sequence
from itertools import count
from threading import Lock

import msgspec

from fer_edge.deliver.event_line import EventLine, Word
from fer_edge.deliver.letters import Letters
from fer_edge.deliver.parcel import Parcel
from fer_edge.deliver.retained import Retained
from fer_edge.values import Message


class Tally(msgspec.Struct, frozen=True):
    """What became of the events since the start."""

    depth: int  # waiting or on their way now; a gap counts as one
    acknowledged: int
    dropped: int  # for want of room
    refused: int  # by the broker


class Outbox:
    """Thread-safe by one lock: the main thread puts, the link's thread sends and reports what the broker said.

    ``capacity`` counts events; ``first`` names the retained topics that are sent first after a connect, in order;
    ``word`` makes the message of a gap and ``mark_late`` marks an event that was made before the link that carries it.
    """

    def __init__(
        self,
        capacity: int,
        word: Word,
        mark_late: Callable[[Message], Message],
        first: Sequence[str] = (),
    ) -> None:
        keys = count(1)
        self._lock = Lock()
        self._line = EventLine(capacity, word, mark_late, keys)
        self._retained = Retained(first, keys)
        self._letters = Letters(keys)
        self._connected = False

    def put(self, message: Message, now: float) -> None:
        """Keeps an event until the broker has it; where there is no room the oldest go and a gap says so."""
        with self._lock:
            self._line.put(message, now)

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

    def connected(self) -> None:
        """A link is there: everything that is not acknowledged is due, and all that is retained once more."""
        with self._lock:
            self._connected = True
            self._line.recall()
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
            return parcels + self._line.due(room - len(parcels), now)

    def acknowledged(self, key: int) -> None:
        """The broker has it."""
        with self._lock:
            self._line.acknowledged(key)
            self._retained.answered(key)
            self._letters.answered(key)

    def refused(self, key: int) -> None:
        """The broker will not have it, however often it is asked."""
        with self._lock:
            self._line.refused(key)
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
            return Tally(len(line), line.sent, line.dropped, line.refusals)
