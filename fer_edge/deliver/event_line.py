"""Events that are not acknowledged yet, in the order of their boots and `seq`: bounded, and never silent about a loss.

What has to be dropped turns into a gap that stands in its place, worded when it is sent; gaps that follow each other
become one. Everything here is in memory; what of it is on disk is the mirror's business.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from fer_edge.deliver.entry import EXPIRED, QUEUE_FULL, REFUSED, Entry, Limits
from fer_edge.deliver.mirror import Mirror
from fer_edge.deliver.parcel import Parcel
from fer_edge.deliver.replay_pace import ReplayPace
from fer_edge.values import Message

Word = Callable[[str, int, int, str], Message]  # boot, first seq, last seq, reason -> the gap as a message

SLACK = 64  # dead references and fresh gaps that are put up with before the line is tidied


class EventLine:
    """Not thread-safe; the outbox owns it. ``keys`` gives a new number for each sending.

    ``boot`` is this run's name; ``waiting`` what earlier boots left behind, in order, which is sent first.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by name
        self,
        limits: Limits,
        word: Word,
        mark_late: Callable[[Message], Message],
        keys: Iterator[int],
        mirror: Mirror,
        *,
        boot: str = "",
        waiting: Sequence[Entry] = (),
        first_row: int = 1,
    ) -> None:
        self._limits = limits
        # What is on its way is not dropped, so at most half of the room may be: there is always something to drop.
        self._most_flying = max(1, limits.events // 2)
        self._word = word
        self._mark_late = mark_late
        self._keys = keys
        self._mirror = mirror
        self._boot = boot
        self._pace = ReplayPace(limits.replay_hz)
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._flying: dict[int, Entry] = {}
        self._spare: deque[Entry] = deque()  # events that go first where there is no room, oldest first
        self._firm: deque[Entry] = deque()  # the other events
        self._of_boot: Counter[str] = Counter()  # entries of earlier boots
        self._events = self._size_bytes = self._fresh_gaps = 0
        self._row = first_row - 1  # the last that was given
        self._newest = 0  # seq of this boot
        self._paid: list[str] = []
        self.sent = self.dropped = self.refusals = 0  # events since the start: acknowledged, dropped, refused
        for entry in waiting:
            self._append(entry)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[Entry]:
        """All of the line, in order."""
        return list(self._entries.values())

    @property
    def acknowledged_to(self) -> int | None:
        """The seq of this boot up to which nothing waits any more; None while earlier boots' events are in the way."""
        head = next(iter(self._entries.values()), None)
        if head is None:
            return self._newest
        return head.first - 1 if head.boot == self._boot else None

    def put(self, message: Message, now: float, *, owed: bool = False) -> None:
        """The next event; where there is no room for it others make place, changes of emotion first, oldest first.

        What is ``owed`` takes no room, and stays until the broker takes it: it is not dropped, and a refusal does not
        end it.
        """
        assert message.seq is not None, "only events stand in line"
        seq = self._newest = message.seq
        self._append(
            Entry(row=self._row + 1, boot=self._boot, first=seq, last=seq, kept_at=now, message=message, owed=owed)
        )
        self._expire(now)
        while self._overfull() and self._drop_one(now):
            pass
        self._tidy(now)

    def precede(self, entries: Sequence[Entry]) -> None:
        """What earlier boots left and was found late, in order: it goes before everything that waits."""
        for entry in reversed(entries):
            self._append(entry, in_front=True)

    def land(self) -> None:
        """The link ended: what was on its way waits again."""
        for entry in self._flying.values():
            entry.key = None
        self._flying.clear()

    def recall(self, now: float) -> None:
        """A link is there: all that waits is late from now on, and gaps that were refused may try once more."""
        self.land()
        for entry in self._entries.values():
            entry.late = True
            entry.after = 0
        self._join(self._entries.values(), now)

    def due(self, room: int, now: float, *, stored_only: bool = False) -> list[Parcel]:
        """The next events to send, at most ``room``; from here on they are on their way.

        With ``stored_only`` an event that is not on disk, and all behind it, wait.
        """
        self._expire(now)
        if self._fresh_gaps:
            self._join(self._head(), now)
        parcels: list[Parcel] = []
        for entry in self._entries.values():
            if len(parcels) >= room or len(self._flying) >= self._most_flying:
                break
            if stored_only and not entry.on_disk:
                break
            if entry.key is None and self._may_go(entry):
                if entry.late and not self._pace.allows(now):
                    break
                parcels.append(self._send(entry, now))
        return parcels

    def wait_s(self, room: int, now: float, *, stored_only: bool = False) -> float:
        """How long the link may sleep before the pace of the backlog lets one more go.

        Infinite where time alone changes nothing: without a backlog, without ``room``, and where what waits may not go
        (see `due`), for whatever changes that wakes the link by itself.
        """
        if room <= 0 or len(self._flying) >= self._most_flying:
            return float("inf")
        for entry in self._entries.values():
            if stored_only and not entry.on_disk:
                break
            if entry.key is None and self._may_go(entry):
                return self._pace.wait_s(now) if entry.late else float("inf")
        return float("inf")

    def acknowledged(self, key: int, now: float) -> None:
        """The broker has it; a key that is not on its way any more is no mistake."""
        entry = self._flying.pop(key, None)
        if entry is not None:
            self.sent += entry.reason is None
            self._remove(entry, now)

    def refused(self, key: int, now: float) -> None:
        """The broker will not have it: an event becomes a gap, which goes again in front of the next event."""
        entry = self._flying.pop(key, None)
        if entry is None:
            return
        self.refusals += entry.is_event
        entry.key, entry.after = None, self._row
        if not entry.owed:
            self._become_gap(entry, entry.reason or REFUSED, now)
        self._join(self._head(), now)

    def idle(self) -> bool:
        """Whether nothing is on its way and nothing may go."""
        return not self._flying and not any(self._may_go(entry) for entry in self._entries.values())

    def paid(self) -> list[str]:
        """The earlier boots of which nothing is left since the last call."""
        paid, self._paid = self._paid, []
        return paid

    def _may_go(self, entry: Entry) -> bool:
        return not entry.after or self._row > entry.after

    def _send(self, entry: Entry, now: float) -> Parcel:
        if entry.message is None:
            entry.message = self._word(entry.boot, entry.first, entry.last, entry.reason or QUEUE_FULL)
        message = self._mark_late(entry.message) if entry.late and entry.reason is None else entry.message
        if message.expiry_s is not None and entry.reason is None:
            left_s = message.expiry_s - int(now - entry.kept_at)
            message = replace(message, expiry_s=max(1, left_s))  # 0 would expire before anybody got it
        entry.key = next(self._keys)
        self._flying[entry.key] = entry
        return Parcel(entry.key, message)

    def _append(self, entry: Entry, *, in_front: bool = False) -> None:
        self._row = max(self._row, entry.row)
        self._entries[entry.row] = entry
        if in_front:
            self._entries.move_to_end(entry.row, last=False)
        if entry.boot != self._boot:
            self._of_boot[entry.boot] += 1
        if entry.is_event and entry.message is not None:
            self._events += 1
            self._size_bytes += entry.size_bytes
            queue = self._spare if entry.message.spare else self._firm
            (queue.appendleft if in_front else queue.append)(entry)
        self._mirror.added(entry)

    def _remove(self, entry: Entry, now: float) -> None:
        if entry.is_event:
            self._events -= 1
            self._size_bytes -= entry.size_bytes
        entry.gone = True
        del self._entries[entry.row]
        self._mirror.removed(entry, now)
        if entry.boot != self._boot:
            self._of_boot[entry.boot] -= 1
            if not self._of_boot[entry.boot]:
                self._paid.append(entry.boot)

    def _become_gap(self, entry: Entry, reason: str, now: float) -> None:
        if entry.reason is None:
            self._events -= 1
            self._size_bytes -= entry.size_bytes
            self._fresh_gaps += 1
        entry.reason, entry.message = reason, None
        self._mirror.changed(entry, now)

    def _overfull(self) -> bool:
        return self._events > self._limits.events or self._size_bytes > self._limits.size_bytes

    def _drop_one(self, now: float) -> bool:
        """Makes a gap of the event that can best be spared; False where all that is left is on its way."""
        entry = _oldest(self._spare) or _oldest(self._firm)
        if entry is None:
            return False
        self.dropped += 1
        self._become_gap(entry, QUEUE_FULL, now)
        return True

    def _expire(self, now: float) -> None:
        """Makes gaps of the events at the head of the line that waited for longer than they were to live."""
        expired = False
        for entry in self._entries.values():
            if not entry.is_event or entry.key is not None:
                continue
            assert entry.message is not None
            if entry.message.expiry_s is None or now - entry.kept_at < entry.message.expiry_s:
                break
            self.dropped += 1
            self._become_gap(entry, EXPIRED, now)
            expired = True
        if expired:
            self._join(self._head(), now)

    def _head(self) -> list[Entry]:
        """The line up to the first event that waits."""
        head = []
        for entry in self._entries.values():
            if entry.is_event and entry.key is None:
                break
            head.append(entry)
        return head

    def _join(self, entries: Iterable[Entry], now: float) -> None:
        """Makes one of each run of gaps in ``entries``, which follow each other in line."""
        before: Entry | None = None
        for entry in list(entries):
            if before is not None and before.joins(entry):
                before.last, before.message, before.after = entry.last, None, max(before.after, entry.after)
                self._mirror.changed(before, now)
                self._remove(entry, now)
            else:
                before = entry

    def _tidy(self, now: float) -> None:
        """Joins gaps and forgets what is gone, when there is much of it: the cost a put stays constant."""
        if self._fresh_gaps > SLACK + len(self._entries) // 8:
            self._fresh_gaps = 0
            self._join(self._entries.values(), now)
        if len(self._spare) + len(self._firm) > SLACK + 2 * self._events:
            self._spare = deque(entry for entry in self._spare if _is_event(entry))
            self._firm = deque(entry for entry in self._firm if _is_event(entry))


def _is_event(entry: Entry) -> bool:
    return not entry.gone and entry.is_event


def _oldest(queue: deque[Entry]) -> Entry | None:
    """Takes the first that is an event and not on its way out of the queue; those on their way stay in it."""
    flying = []
    found = None
    while queue and found is None:
        entry = queue.popleft()
        if _is_event(entry):
            if entry.key is None:
                found = entry
            else:
                flying.append(entry)
    queue.extendleft(reversed(flying))
    return found
