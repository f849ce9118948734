"""Events that are not acknowledged yet, in the order of their `seq`: in memory, bounded, and never silent about a loss.

What has to be dropped turns into a gap that stands in its place, one entry however long its range grows; it is worded
when it is sent. This class is the seam for a store on disk: it alone knows where events are kept.
"""

from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from fer_edge.deliver.parcel import Parcel
from fer_edge.values import Message

QUEUE_FULL = "queue_full"  # why events were dropped: no room while the broker was away
REFUSED = "refused"  # the broker was asked and said no

Word = Callable[[int, int, str], Message]  # first seq, last seq, reason -> the gap as a message


class Entry(msgspec.Struct, eq=False):
    """An event, or a gap in the place of several."""

    first: int  # seq
    last: int  # seq; the same as `first` for an event
    kept_at: float  # seconds, monotonic
    message: Message | None  # None: a gap that is not worded yet
    reason: str | None = None  # why first..last were dropped; None: an event
    key: int | None = None  # None: waiting; else on its way
    late: bool = False  # was here before the link was
    after: int = 0  # seq: a gap that was refused waits for a newer event, or it would be sent and refused in a circle


class EventLine:
    """Not thread-safe; the outbox owns it. ``keys`` gives a new number for each sending."""

    def __init__(self, capacity: int, word: Word, mark_late: Callable[[Message], Message], keys: Iterator[int]) -> None:
        self._capacity = capacity
        # What is on its way is not dropped, so at most half of the room may be: there is always something to drop.
        self._most_flying = max(1, capacity // 2)
        self._word = word
        self._mark_late = mark_late
        self._keys = keys
        self._entries: deque[Entry] = deque()
        self._flying: dict[int, Entry] = {}
        self._newest = 0  # seq
        self.sent = self.dropped = self.refusals = 0  # events since the start: acknowledged, dropped, refused

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, message: Message, now: float) -> None:
        """The next event; where there is no room for it the oldest make place."""
        assert message.seq is not None, "only events stand in line"
        self._newest = message.seq
        self._entries.append(Entry(message.seq, message.seq, now, message))
        while len(self._entries) > self._capacity and self._drop_oldest():
            pass

    def land(self) -> None:
        """The link ended: what was on its way waits again."""
        for entry in self._flying.values():
            entry.key = None
        self._flying.clear()

    def recall(self) -> None:
        """A link is there: all that waits is late from now on, and gaps that were refused may try once more."""
        self.land()
        for entry in self._entries:
            entry.late = True
            entry.after = 0

    def due(self, room: int, now: float) -> list[Parcel]:
        """The next events to send, at most ``room``; from here on they are on their way."""
        parcels: list[Parcel] = []
        for entry in self._entries:
            if len(parcels) >= room or len(self._flying) >= self._most_flying:
                break
            if entry.key is None and self._may_go(entry):
                parcels.append(self._send(entry, now))
        return parcels

    def acknowledged(self, key: int) -> None:
        """The broker has it; a key that is not on its way any more is no mistake."""
        entry = self._flying.pop(key, None)
        if entry is not None:
            self._entries.remove(entry)
            self.sent += entry.reason is None

    def refused(self, key: int) -> None:
        """The broker will not have it: an event becomes a gap, which goes again in front of the next event."""
        entry = self._flying.pop(key, None)
        if entry is not None:
            self.refusals += entry.reason is None
            entry.key, entry.message, entry.after = None, None, self._newest
            entry.reason = entry.reason or REFUSED
            self._join(self._entries.index(entry))

    def idle(self) -> bool:
        """Whether nothing is on its way and nothing may go."""
        return not self._flying and not any(self._may_go(entry) for entry in self._entries)

    def _may_go(self, entry: Entry) -> bool:
        return not entry.after or self._newest > entry.after

    def _send(self, entry: Entry, now: float) -> Parcel:
        if entry.message is None:
            entry.message = self._word(entry.first, entry.last, entry.reason or QUEUE_FULL)
        message = self._mark_late(entry.message) if entry.late and entry.reason is None else entry.message
        if message.expiry_s is not None:
            left_s = message.expiry_s - int(now - entry.kept_at)
            message = msgspec.structs.replace(message, expiry_s=max(1, left_s))  # 0 would expire before anybody got it
        entry.key = next(self._keys)
        self._flying[entry.key] = entry
        return Parcel(entry.key, message)

    def _drop_oldest(self) -> bool:
        """Makes one gap of the two oldest entries behind all that is on its way; False where there are not two."""
        index = self._first_behind_flying()
        if index + 1 >= len(self._entries):
            return False
        one, other = self._entries[index], self._entries[index + 1]
        self.dropped += (one.reason is None) + (other.reason is None)
        self._entries[index] = Entry(one.first, other.last, one.kept_at, None, QUEUE_FULL)
        del self._entries[index + 1]
        return True

    def _first_behind_flying(self) -> int:
        flying = len(self._flying)
        for index, entry in enumerate(self._entries):
            if not flying:
                return index
            flying -= entry.key is not None
        return len(self._entries)

    def _join(self, index: int) -> None:
        """Makes one gap of the one at ``index`` and those beside it that wait for the same reason."""
        for left in (index, index - 1):
            if left < 0 or left + 1 >= len(self._entries):
                continue
            one, other = self._entries[left], self._entries[left + 1]
            if one.reason == other.reason and one.key is None and other.key is None:
                one.last, one.message, one.after = other.last, None, max(one.after, other.after)
                del self._entries[left + 1]
