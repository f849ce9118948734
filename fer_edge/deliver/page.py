"""What is noted of a boot so that the next one can finish its sentences, should it die."""

import msgspec

from fer_edge.values import Event, EventKind, Message


class OpenFace(msgspec.Struct, frozen=True):
    """A face that was said to have appeared and not to be gone."""

    since_uptime_s: float  # of its first event
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


class OpenFaces:
    """The faces that are open, as `Page.faces` in JSON. Not thread-safe; the main thread owns it."""

    def __init__(self) -> None:
        self._faces: dict[int, bytes] = {}
        self._since: dict[int, float] = {}

    def take(self, event: Event, message: Message, uptime_s: float) -> None:
        """An event was made, and turned into ``message``."""
        if event.kind is EventKind.GONE:
            self._faces.pop(event.face, None)
            self._since.pop(event.face, None)
            return
        since = self._since.setdefault(event.face, round(uptime_s, 3))
        self._faces[event.face] = b'{"since_uptime_s":%r,"event":%s}' % (since, message.payload)

    def json(self) -> bytes:
        """A JSON array, each face an OpenFace."""
        return b"[" + b",".join(self._faces.values()) + b"]"


def decode_faces(text: bytes) -> tuple[OpenFace, ...]:
    """The faces of `OpenFaces.json`.

    Raises:
        msgspec.DecodeError: it is something else.
    """
    return msgspec.json.decode(text, type=tuple[OpenFace, ...])
