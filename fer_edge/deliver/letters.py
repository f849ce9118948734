"""What is neither an event nor the newest of its topic: answers to requests, summaries. In memory, bounded. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from fer_edge.deliver.parcel import Parcel
from fer_edge.values import Message

CAPACITY = 100  # beyond it the oldest go: nobody waits for an answer that old


@dataclass(slots=True, eq=False)
class _Letter:
    message: Message
    kept_at: float  # seconds, monotonic
    key: int | None = None  # None: waiting; else on its way


class Letters:
    """First in, first out; each stays until it is acknowledged or too old. Not thread-safe; the outbox owns it."""

    def __init__(self, keys: Iterator[int], capacity: int = CAPACITY) -> None:
        self._keys = keys
        self._letters: deque[_Letter] = deque(maxlen=capacity)

    def put(self, message: Message, now: float) -> None:
        """The next one; where there is no room for it the oldest goes."""
        self._letters.append(_Letter(message, now))

    def land(self) -> None:
        """The link ended: what was on its way waits again."""
        for letter in self._letters:
            letter.key = None

    def due(self, room: int, now: float) -> list[Parcel]:
        """What is to be sent, at most ``room``; from here on it is on its way. What is too old by now is dropped."""
        waiting = [letter for letter in self._letters if letter.key is None]
        parcels: list[Parcel] = []
        for letter in waiting:
            message = _aged(letter.message, now - letter.kept_at)
            if message is None:
                self._letters.remove(letter)
            elif len(parcels) < room:
                letter.key = next(self._keys)
                parcels.append(Parcel(letter.key, message))
        return parcels

    def answered(self, key: int) -> None:
        """The broker has taken or refused it; silent where the key is none of ours."""
        for letter in self._letters:
            if letter.key == key:
                self._letters.remove(letter)
                return

    def idle(self) -> bool:
        """Whether nothing is on its way and nothing is waiting."""
        return not self._letters


def _aged(message: Message, age_s: float) -> Message | None:
    """The message with what is left of its expiry, None where nothing is left."""
    if message.expiry_s is None:
        return message
    left_s = message.expiry_s - int(age_s)
    return replace(message, expiry_s=left_s) if left_s > 0 else None
