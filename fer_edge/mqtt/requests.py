"""What may be asked of the device, and whether it was asked rightly. Pure."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

import msgspec

from fer_edge.config.loader import did_you_mean
from fer_edge.mqtt.topics import Topics
from fer_edge.untrusted import DecodeError, decode_object

CAPACITY = 20  # more than a person or a dashboard sends at once; what a flood adds is dropped unread
# Requests a second, and how many at once after a pause. One costs up to 15 ms of a PC's core, between two frames.
RATE_HZ = 4.0
BURST = 20
LARGEST_PAYLOAD = 8192  # bytes; every setting that can be changed, with the longest names, is below a quarter of it
MOST_KEYS = 80  # on all levels; settings that can be changed have some 50. Each unknown one is compared with the known
LONGEST_REPLY_TO = 256  # bytes of a response topic
LONGEST_TRANSACTION = 128  # characters
LARGEST_TRANSACTION = 2**53  # what every JSON reader takes exactly
DEEPEST = 6  # objects in objects; settings need four
MOST_MISTAKES = 10  # lines of an answer; the rest are counted
LONGEST_VERB = 40  # characters of what is repeated of a verb that nobody knows
TRANSACTION, PAUSED = "transaction", "paused"
Transaction = str | int | None


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as it came from the broker."""

    topic: str
    payload: bytes
    retained: bool
    reply_to: str | None = None  # MQTT 5 response topic
    correlation: bytes | None = None  # MQTT 5 correlation data


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the link subscribes to after each connect, and who is told; ``hear`` must return at once and not raise."""

    filters: tuple[str, ...]
    hear: Callable[[ReceivedMessage], None]


class RequestQueue:
    """A bounded queue with a token bucket at its end. Thread-safe: the link's thread puts, the main thread takes."""

    def __init__(self, capacity: int = CAPACITY, rate_hz: float = RATE_HZ, burst: int = BURST) -> None:
        self._capacity = capacity
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = float(burst)  # the main thread's, as is the next
        self._filled_at: float | None = None  # seconds, monotonic
        self._lock = Lock()
        self._waiting: deque[ReceivedMessage] = deque()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages that found no room, since the start."""
        return self._dropped

    def put(self, heard: ReceivedMessage) -> None:
        """Keep it until it is taken; where there is no room it is dropped: the earlier ones are being served."""
        with self._lock:
            if len(self._waiting) < self._capacity:
                self._waiting.append(heard)
            else:
                self._dropped += 1

    def take(self, now: float) -> ReceivedMessage | None:
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


class Verb(StrEnum):
    """What the device does when it is asked."""

    PAUSE = "pause"
    RESUME = "resume"
    SETTINGS = "settings"
    RELOAD = "reload"
    SNAPSHOT_STATE = "snapshot-state"


# The keys that a request may have beside `transaction`; of settings every key is looked at elsewhere.
KEYS = {Verb.PAUSE: (PAUSED,)}


class Request(msgspec.Struct, frozen=True):
    """One request, and where its answer goes. With ``mistakes`` it is not to be done, only answered."""

    verb: str
    reply_to: str
    correlation: bytes | None
    transaction: Transaction
    body: Mapping[str, Any]
    mistakes: tuple[str, ...]
    refused_reply_to: str | None = None  # a response topic that was asked for and is not used


def listed(mistakes: Sequence[str]) -> tuple[str, ...]:
    """Return the first mistakes for an answer, and the number of the others: no answer grows with its request."""
    if len(mistakes) <= MOST_MISTAKES:
        return tuple(mistakes)
    return (*mistakes[:MOST_MISTAKES], f"and {len(mistakes) - MOST_MISTAKES} more")


def read_request(heard: ReceivedMessage, topics: Topics, discovery: str) -> Request | None:
    """Return the request that was received; None where it only clears a retained one, or came on another topic.

    ``discovery`` is Home Assistant's prefix, below which nothing is answered. What clears is known by its empty payload
    alone: a broker takes the mark of a retained message away from what it passes on at once (3.1.1 always, MQTT 5
    unless it can be asked).
    """
    verb = heard.topic.rpartition("/")[2]
    if not heard.payload or heard.topic != topics.request(verb):
        return None
    mistakes: list[str] = []
    if heard.retained:
        mistakes.append("a retained request is never done: publish it without retain, and clear the topic")
    if verb not in set(Verb):
        mistakes.append(f"unknown request {verb[:LONGEST_VERB]!r}{did_you_mean(verb[:LONGEST_VERB], list(Verb))}")
    reply_to, refused = topics.response(verb if verb in set(Verb) else "unknown"), None
    if heard.reply_to is not None:
        if complaint := _unusable(heard.reply_to, topics, discovery):
            mistakes.append(complaint)
            refused = heard.reply_to
        else:
            reply_to = heard.reply_to
    body, complaints = _body(heard.payload)
    mistakes += complaints
    transaction, complaints = _transaction(body.pop(TRANSACTION, None))
    mistakes += complaints
    if not mistakes:
        mistakes += _check_body(Verb(verb), body)
    return Request(verb[:LONGEST_VERB], reply_to, heard.correlation, transaction, body, tuple(mistakes), refused)


def _body(payload: bytes) -> tuple[dict[str, Any], list[str]]:
    if len(payload) > LARGEST_PAYLOAD:
        return {}, [f"the payload has {len(payload)} bytes, more than {LARGEST_PAYLOAD}"]
    try:
        body = decode_object(payload, DEEPEST)
    except DecodeError as error:
        return {}, [f"the payload must be a JSON object, at least {{}}: {error}"]
    return ({}, [f"the payload has more than {MOST_KEYS} keys"]) if _keys(body) > MOST_KEYS else (body, [])


def _keys(value: Any) -> int:
    """Count the keys of an object and of all in it; its depth is bounded."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def _transaction(given: Any) -> tuple[Transaction, list[str]]:
    whole = isinstance(given, int) and not isinstance(given, bool) and abs(given) <= LARGEST_TRANSACTION
    if given is None or whole or (isinstance(given, str) and len(given) <= LONGEST_TRANSACTION):
        return given, []
    return None, [f"{TRANSACTION}: must be a whole number or text of at most {LONGEST_TRANSACTION} characters"]


def _unusable(reply_to: str, topics: Topics, discovery: str) -> str:
    """Return why nothing is published on a response topic that somebody else chose; empty where it is.

    A topic that another program takes for a device's own word, or for a request, is not for a stranger to choose:
    Home Assistant deletes entities for an answer on its discovery topics, other devices would follow it.
    """
    if not reply_to or reply_to.startswith("$") or not reply_to.isprintable() or set(reply_to) & set("+#"):
        return "the response topic is not one to publish on"
    if len(reply_to.encode()) > LONGEST_REPLY_TO:
        return f"the response topic is longer than {LONGEST_REPLY_TO} bytes"
    own = topics.response("")
    for prefix in (topics.prefix.rstrip("/"), discovery):
        if f"{reply_to}/".startswith(f"{prefix}/") and not (reply_to.startswith(own) and reply_to != own):
            return f"the response topic may not be below {prefix}, except below {own}"
    return ""


def _check_body(verb: Verb, body: Mapping[str, Any]) -> list[str]:
    if verb is Verb.SETTINGS:
        return []
    known = (*KEYS.get(verb, ()), TRANSACTION)
    unknown = [key for key in body if key not in known]
    mistakes = [
        f"{key[:LONGEST_VERB]}: unknown key{did_you_mean(key[:LONGEST_VERB], known)}" for key in unknown[:MOST_MISTAKES]
    ]
    mistakes += ["unknown key"] * (len(unknown) - MOST_MISTAKES)  # counted, see `listed`
    if verb is Verb.PAUSE and not isinstance(body.get(PAUSED, True), bool):
        mistakes.append(f"{PAUSED}: must be true or false")
    return mistakes
