"""What may be asked of the device, and whether it was asked rightly. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from fer_edge.deliver.inbox import Heard
from fer_edge.deliver.topics import Topics
from fer_edge.spelling import did_you_mean

LARGEST_PAYLOAD = 8192  # bytes; every setting that can be changed, with the longest names, is below a quarter of it
LONGEST_TRANSACTION = 128  # characters
LARGEST_TRANSACTION = 2**53  # what every JSON reader takes exactly
DEEPEST = 6  # objects in objects; settings need four
LONGEST_VERB = 40  # characters of what is repeated of a verb that nobody knows
TRANSACTION, PAUSED = "transaction", "paused"

Transaction = str | int | None


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


def read_request(heard: Heard, topics: Topics) -> Request | None:
    """The request that was heard; None where it only clears a retained one, which is no request.

    ``heard`` came on a topic of ``topics.requests``. What clears is known by its empty payload alone: a broker takes
    the mark of a retained message away from what it passes on at once (3.1.1 always, MQTT 5 unless it can be asked).
    """
    if not heard.payload:
        return None
    verb = heard.topic.rpartition("/")[2]
    mistakes: list[str] = []
    if heard.retained:
        mistakes.append("a retained request is never done: publish it without retain, and clear the topic")
    if verb not in set(Verb):
        mistakes.append(f"unknown request {verb[:LONGEST_VERB]!r}{did_you_mean(verb[:LONGEST_VERB], list(Verb))}")
    reply_to = topics.response(verb if verb in set(Verb) else "unknown")
    if heard.reply_to is not None:
        complaint = _unusable(heard.reply_to, topics)
        mistakes += complaint
        reply_to = reply_to if complaint else heard.reply_to
    body, complaint = _body(heard.payload)
    mistakes += complaint
    transaction, complaint = _transaction(body.pop(TRANSACTION, None))
    mistakes += complaint
    if not mistakes:
        mistakes += _check_body(Verb(verb), body)
    return Request(verb, reply_to, heard.correlation, transaction, body, tuple(mistakes))


def _body(payload: bytes) -> tuple[dict[str, Any], list[str]]:
    if len(payload) > LARGEST_PAYLOAD:
        return {}, [f"the payload has {len(payload)} bytes, more than {LARGEST_PAYLOAD}"]
    try:
        body = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        return {}, [f"the payload must be a JSON object, at least {{}}: {error}"]
    return ({}, ["the payload is nested too deeply"]) if _deeper(body, DEEPEST) else (body, [])


def _deeper(value: Any, levels: int) -> bool:
    """Whether ``value`` has more levels; what looks into it later does so by recursion."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def _transaction(given: Any) -> tuple[Transaction, list[str]]:
    whole = isinstance(given, int) and not isinstance(given, bool) and abs(given) <= LARGEST_TRANSACTION
    if given is None or whole or (isinstance(given, str) and len(given) <= LONGEST_TRANSACTION):
        return given, []
    return None, [f"{TRANSACTION}: must be a whole number or text of at most {LONGEST_TRANSACTION} characters"]


def _unusable(reply_to: str, topics: Topics) -> list[str]:
    """Why nothing is published on a response topic that somebody else chose; empty where it is."""
    if not reply_to or reply_to.startswith("$") or any(sign in reply_to for sign in "+#\0"):
        return ["the response topic is not one to publish on"]
    # What others read as said by us, or hear as asked of us, is not for a stranger to word.
    if reply_to.startswith(f"{topics.base}/") and not reply_to.startswith(topics.response("")):
        return [f"the response topic may not be below {topics.base}, except below {topics.response('')}"]
    return []


def _check_body(verb: Verb, body: Mapping[str, Any]) -> list[str]:
    if verb is Verb.SETTINGS:
        return []
    known = (*KEYS.get(verb, ()), TRANSACTION)
    mistakes = [
        f"{key[:LONGEST_VERB]}: unknown key{did_you_mean(key[:LONGEST_VERB], known)}"
        for key in body
        if key not in known
    ]
    if verb is Verb.PAUSE and not isinstance(body.get(PAUSED, True), bool):
        mistakes.append(f"{PAUSED}: must be true or false")
    return mistakes
