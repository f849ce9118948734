"""What others say to this device: heard by the link's thread, taken by the main thread. Bounded against floods."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

CAPACITY = 20  # more than a person or a dashboard sends at once; what a flood adds is dropped unread


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came from the broker."""

    topic: str
    payload: bytes
    retained: bool
    reply_to: str | None = None  # MQTT 5 response topic
    correlation: bytes | None = None  # MQTT 5 correlation data


@dataclass(frozen=True, slots=True)
class Listening:
    """What the link subscribes to after each connect, and who is told; ``hear`` must return at once and not raise."""

    filters: tuple[str, ...]
    hear: Callable[[Heard], None]


class Inbox:
    """Thread-safe: the link's thread puts, the main thread takes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._waiting: deque[Heard] = deque()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages that found no room, since the start."""
        return self._dropped

    def put(self, heard: Heard) -> None:
        """Keeps it until it is taken; where there is no room it is dropped: the earlier ones are being served."""
        with self._lock:
            if len(self._waiting) < self._capacity:
                self._waiting.append(heard)
            else:
                self._dropped += 1

    def take(self) -> Heard | None:
        """The one that waits longest; None where nothing waits."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None
