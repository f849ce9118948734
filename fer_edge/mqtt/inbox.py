"""Messages to this device: put by the link's thread, taken by the main thread. Bounded against floods."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

CAPACITY = 20  # more than a person or a dashboard sends at once; what a flood adds is dropped unread
# Requests a second, and how many at once after a pause. One costs up to 15 ms of a PC's core, between two frames.
RATE_HZ = 4.0
BURST = 20


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
    """A bounded queue with a token bucket at its end. Thread-safe: the link's thread puts, the main thread takes."""

    def __init__(self, capacity: int = CAPACITY, rate_hz: float = RATE_HZ, burst: int = BURST) -> None:
        self._capacity = capacity
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = float(burst)  # the main thread's, as is the next
        self._filled_at: float | None = None  # seconds, monotonic
        self._lock = Lock()
        self._waiting: deque[Heard] = deque()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages that found no room, since the start."""
        return self._dropped

    def put(self, heard: Heard) -> None:
        """Keep it until it is taken; where there is no room it is dropped: the earlier ones are being served."""
        with self._lock:
            if len(self._waiting) < self._capacity:
                self._waiting.append(heard)
            else:
                self._dropped += 1

    def take(self, now: float) -> Heard | None:
        """Return the one that waits longest; None where nothing waits, or its turn has not come at ``now``.

        ``now`` is in monotonic seconds.
        """
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + self._rate_hz * (now - self._filled_at))
        self._filled_at = now
        if self._tokens < 1.0:
            return None
        with self._lock:
            if not self._waiting:
                return None
            self._tokens -= 1.0
            return self._waiting.popleft()
