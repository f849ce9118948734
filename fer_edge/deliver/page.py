"""What is noted of a boot so that the next one can finish its sentences, should it die."""

from collections import OrderedDict

import msgspec

from fer_edge.values import Event, EventKind, Message

# Faces that went away whose last event may not have arrived; at an event each they are those of some seconds.
MOST_GONE = 64


class OpenFace(msgspec.Struct, frozen=True):
    """A face that was said to have appeared, and not, or not long ago, to be gone."""

    since_uptime_s: float  # of its first event
    gone_seq: int | None  # of its `face_gone`; it may have been lost
    event: msgspec.Raw  # the payload of its last


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One boot, as far as it was noted."""

    boot: str
    number: int = 0  # of boots on this device, counts up
    made: int = 0  # the last seq that was given to an event
    acknowledged: int = 0  # the seq up to which nothing waited any more
    alive_at: float = 0.0  # seconds since 1970, the last time it was known to live
    alive_uptime_s: float = 0.0
    synced: bool = False  # whether `alive_at` can be believed
    faces: tuple[OpenFace, ...] = ()
    exact: bool = True  # nothing can have happened since; else it is only the least that is known
    settled: bool = False  # what the store has of it is all that is owed


class OpenFaces:
    """The faces that are open, as `Page.faces` in JSON. Not thread-safe; the main thread owns it."""

    def __init__(self) -> None:
        self._faces: dict[int, bytes] = {}
        self._since: dict[int, float] = {}
        self._gone: OrderedDict[int, bytes] = OrderedDict()  # by the seq of their farewell

    def take(self, event: Event, message: Message, uptime_s: float, acknowledged: int) -> None:
        """An event was made, and turned into ``message``; up to ``acknowledged`` nothing waits any more."""
        assert message.seq is not None
        while self._gone and (next(iter(self._gone)) <= acknowledged or len(self._gone) > MOST_GONE):
            self._gone.popitem(last=False)
        since = self._since.setdefault(event.face, round(uptime_s, 3))
        text = b'{"since_uptime_s":%r,"gone_seq":%s,"event":%s}'
        if event.kind is EventKind.GONE:
            self._faces.pop(event.face, None)
            del self._since[event.face]
            self._gone[message.seq] = text % (since, b"%d" % message.seq, message.payload)
        else:
            self._faces[event.face] = text % (since, b"null", message.payload)

    def json(self) -> bytes:
        """A JSON array, each face an OpenFace."""
        return b"[" + b",".join((*self._gone.values(), *self._faces.values())) + b"]"


def decode_faces(text: bytes) -> tuple[OpenFace, ...]:
    """The faces of `OpenFaces.json`.

    Raises:
        msgspec.DecodeError: it is something else.
    """
    return msgspec.json.decode(text, type=tuple[OpenFace, ...])
