"""Requests to the device: queue, parsing and validation. Pure."""

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

CAPACITY = 20  # more than a person or a dashboard sends at once; further ones are dropped unread
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
LONGEST_VERB = 40  # characters of an unknown verb in a response
TRANSACTION, PAUSED = "transaction", "paused"
Transaction = str | int | None


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message from the broker."""

    topic: str
    payload: bytes
    retained: bool
    reply_to: str | None = None  # MQTT 5 response topic
    correlation: bytes | None = None  # MQTT 5 correlation data


@dataclass(frozen=True, slots=True)
class Subscription:
    """Topic filters to subscribe to after each connect; ``receive`` must return at once and not raise."""

    filters: tuple[str, ...]
    receive: Callable[[ReceivedMessage], None]


class RequestQueue:
    """Bounded queue with a token bucket. Thread-safe: the link's thread puts, the main thread takes."""

    def __init__(self, capacity: int = CAPACITY, rate_hz: float = RATE_HZ, burst: int = BURST) -> None:
        self._capacity = capacity
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = float(burst)  # main thread only, as the next
        self._filled_at: float | None = None  # seconds, monotonic
        self._lock = Lock()
        self._waiting: deque[ReceivedMessage] = deque()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Number of messages dropped since the start."""
        return self._dropped

    def put(self, message: ReceivedMessage) -> None:
        """Append a message; it is dropped if there is no room."""
        with self._lock:
            if len(self._waiting) < self._capacity:
                self._waiting.append(message)
            else:
                self._dropped += 1

    def take(self, now: float) -> ReceivedMessage | None:
        """Return the oldest message; None if the queue or the token bucket is empty at ``now`` (monotonic seconds)."""
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
    """Requests that the device supports."""

    PAUSE = "pause"
    RESUME = "resume"
    SETTINGS = "settings"
    RELOAD = "reload"
    SNAPSHOT_STATE = "snapshot-state"


# Keys of a request beside `transaction`; the keys of settings are validated elsewhere.
KEYS = {Verb.PAUSE: (PAUSED,)}


class Request(msgspec.Struct, frozen=True):
    """One request and its response topic. With ``mistakes`` it is only answered."""

    verb: str
    reply_to: str
    correlation: bytes | None
    transaction: Transaction
    body: Mapping[str, Any]
    mistakes: tuple[str, ...]
    refused_reply_to: str | None = None  # a response topic that was rejected


def listed(mistakes: Sequence[str]) -> tuple[str, ...]:
    """Return the first mistakes for a response and the number of the others, so that its size is bounded."""
    if len(mistakes) <= MOST_MISTAKES:
        return tuple(mistakes)
    return (*mistakes[:MOST_MISTAKES], f"and {len(mistakes) - MOST_MISTAKES} more")


def read_request(message: ReceivedMessage, topics: Topics, discovery: str) -> Request | None:
    """Parse a request; None for an empty payload, which clears a retained message, and for another topic.

    ``discovery`` is Home Assistant's prefix, below which nothing is published. The retain flag cannot identify a
    clearing message: a broker removes it from messages that it forwards at once (in 3.1.1 always).
    """
    verb = message.topic.rpartition("/")[2]
    if not message.payload or message.topic != topics.request(verb):
        return None
    mistakes: list[str] = []
    if message.retained:
        mistakes.append("retained requests are not executed: publish it without retain, and clear the topic")
    if verb not in set(Verb):
        mistakes.append(f"unknown request {verb[:LONGEST_VERB]!r}{did_you_mean(verb[:LONGEST_VERB], list(Verb))}")
    reply_to, refused = topics.response(verb if verb in set(Verb) else "unknown"), None
    if message.reply_to is not None:
        if complaint := _unusable(message.reply_to, topics, discovery):
            mistakes.append(complaint)
            refused = message.reply_to
        else:
            reply_to = message.reply_to
    body, complaints = _body(message.payload)
    mistakes += complaints
    transaction, complaints = _transaction(body.pop(TRANSACTION, None))
    mistakes += complaints
    if not mistakes:
        mistakes += _check_body(Verb(verb), body)
    return Request(verb[:LONGEST_VERB], reply_to, message.correlation, transaction, body, tuple(mistakes), refused)


def _body(payload: bytes) -> tuple[dict[str, Any], list[str]]:
    if len(payload) > LARGEST_PAYLOAD:
        return {}, [f"the payload has {len(payload)} bytes, more than {LARGEST_PAYLOAD}"]
    try:
        body = decode_object(payload, DEEPEST)
    except DecodeError as error:
        return {}, [f"the payload must be a JSON object, at least {{}}: {error}"]
    return ({}, [f"the payload has more than {MOST_KEYS} keys"]) if _keys(body) > MOST_KEYS else (body, [])


def _keys(value: Any) -> int:
    """Count the keys of an object and of all objects in it; its depth is bounded."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def _transaction(given: Any) -> tuple[Transaction, list[str]]:
    whole = isinstance(given, int) and not isinstance(given, bool) and abs(given) <= LARGEST_TRANSACTION
    if given is None or whole or (isinstance(given, str) and len(given) <= LONGEST_TRANSACTION):
        return given, []
    return None, [f"{TRANSACTION}: must be a whole number or text of at most {LONGEST_TRANSACTION} characters"]


def _unusable(reply_to: str, topics: Topics, discovery: str) -> str:
    """Return why a response topic is rejected; empty if it is accepted.

    A response must not be mistaken for a device's own message or for a request: Home Assistant deletes entities for a
    message on its discovery topics, and other devices would execute it.
    """
    if not reply_to or reply_to.startswith("$") or not reply_to.isprintable() or set(reply_to) & set("+#"):
        return "the response topic is not a valid topic"
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
