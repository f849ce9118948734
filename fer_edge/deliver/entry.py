"""What stands in the line of events: an event, or a gap in the place of several; and how long the line may be."""

import msgspec

from fer_edge.values import Message

QUEUE_FULL = "queue_full"  # why events were dropped: no room while the broker was away
REFUSED = "refused"  # the broker was asked and said no
EXPIRED = "expired"  # they waited for longer than they were to live
RESTART = "restart"  # they were in the memory of a daemon that died
CORRUPT = "corrupt"  # they were in a store that could not be read

OVERHEAD_BYTES = 256  # of an event beside its payload, in a row of the store; more in memory


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the line holds, and how fast it may be emptied."""

    events: int
    size_bytes: int = 1 << 40  # counted with OVERHEAD_BYTES an event
    replay_hz: float = 1e9  # events a second that are sent later than they were made


class Entry(msgspec.Struct, eq=False, kw_only=True):
    """Events ``first`` to ``last`` of one boot. The event line owns it and changes it."""

    row: int  # its name in the store; counts up, the order is the line's
    boot: str
    first: int  # seq
    last: int  # seq; the same as `first` for an event
    kept_at: float  # seconds, monotonic; less than now by the event's age where it is of another boot
    message: Message | None  # None: a gap that is not worded yet
    reason: str | None = None  # why first..last were dropped; None: an event
    key: int | None = None  # None: waiting; else on its way
    late: bool = False  # was here before the link was
    after: int = 0  # row: a gap that was refused waits for a newer one, or it would be sent and refused in a circle
    on_disk: bool = False  # in the store, perhaps in an earlier form
    writing: bool = False  # being written now
    gone: bool = False  # has left the line
    owed: bool = False  # it says of another boot what nobody else can say: it waits until the broker takes it

    @property
    def is_event(self) -> bool:
        """Whether it may be dropped, so that a gap stands in its place."""
        return self.reason is None and not self.owed

    @property
    def size_bytes(self) -> int:
        """What an event counts for; nothing for a gap."""
        return len(self.message.payload) + OVERHEAD_BYTES if self.is_event and self.message is not None else 0

    def joins(self, other: "Entry") -> bool:
        """Whether ``other``, the next in line, and this are one gap."""
        return (
            self.reason is not None
            and self.reason == other.reason
            and self.boot == other.boot
            and self.last + 1 == other.first
            and self.key is None
            and other.key is None
        )
