"""Parsing and validation of requests."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.mqtt.requests import LARGEST_PAYLOAD, MOST_KEYS, ReceivedMessage, Request, listed, read_request
from fer_edge.mqtt.topics import Topics

TOPICS = Topics("fer_edge", "porch")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.dictionaries(
    st.text(),
    st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20),
)


def asked(payload: bytes, verb: str = "pause", **more: object) -> Request | None:
    return read_request(
        ReceivedMessage(TOPICS.request(verb), payload, **{"retained": False, **more}), TOPICS, "homeassistant"
    )


def mistakes(payload: bytes, verb: str = "pause", **more: object) -> tuple[str, ...]:
    request = asked(payload, verb, **more)
    assert request is not None
    return request.mistakes


def test_request_without_anything_is_answered_on_its_own_topic() -> None:
    assert asked(b"{}", "reload") == Request("reload", "fer_edge/porch/response/reload", None, None, {}, ())


def test_transaction_and_mqtt_5_s_own_way_of_answering_are_kept() -> None:
    request = asked(b'{"decide":{"enter":0.6},"transaction":"a-7"}', "settings", reply_to="my/inbox", correlation=b"\0")
    assert request == Request("settings", "my/inbox", b"\0", "a-7", {"decide": {"enter": 0.6}}, ())
    assert asked(b'{"transaction":7}').transaction == 7


def test_mistaken_request_still_echoes_its_transaction() -> None:
    request = asked(b'{"transaction":7,"pausd":true,"x":1}')
    assert request is not None
    assert request.transaction == 7
    assert request.mistakes == (
        "pausd: unknown key, did you mean paused?",
        "x: unknown key; there are paused, transaction",
    )
    assert mistakes(b'{"paused":1}') == ("paused: must be true or false",)
    assert mistakes(b'{"paused":false}') == ()
    assert mistakes(b'{"paused":false}', "resume") == ("paused: unknown key; there are transaction",)


def test_unknown_verb_is_answered_in_a_known_place() -> None:
    request = asked(b"{}", "paus")
    assert request is not None
    assert request.mistakes == ("unknown request 'paus', did you mean pause?",)
    assert request.reply_to == "fer_edge/porch/response/unknown"
    assert len(str(mistakes(b"{}", "x" * 60_000))) < 300
    long = asked(b"{}", "x" * 60_000)
    assert long is not None
    assert len(long.verb) < 50  # it is repeated in the answer


@pytest.mark.parametrize(
    "payload",
    [
        b"on",
        b"[]",
        b"7",
        b"null",
        b'"{}"',
        b"{",
        b"\xff\xfe",
        b'{"a":1}{',
        b'{"a":' * 1500,
        b"[" * 8000,
        '{"transaction":"café"}'.encode("latin-1"),
        b'{"transaction":"\\ud800"}',
    ],
)
def test_payload_that_is_no_object_does_nothing(payload: bytes) -> None:
    (line,) = mistakes(payload)
    assert line.startswith("the payload must be a JSON object, at least {}")
    assert "\n" not in line


def test_payload_that_is_nested_without_end_is_a_mistake() -> None:
    deep = b'{"decide":{"enter":' + b'{"a":' * 900 + b"1" + b"}" * 902
    said = ("the payload must be a JSON object, at least {}: nested too deeply",)
    assert mistakes(deep, "settings") == said
    assert mistakes(b'{"decide":{"enter":' + b"[" * 900 + b"]" * 900 + b"}}", "settings") == said
    assert mistakes(b'{"decide":{"emotions":{"sad":{"enter":0.5}}}}', "settings") == ()


def test_payload_too_large_is_not_even_read() -> None:
    assert mistakes(b'{"transaction":"' + b"x" * 9000 + b'"}') == ("the payload has 9018 bytes, more than 8192",)


@pytest.mark.parametrize("transaction", [b"true", b"1.5", b"9" * 30, b"[]", b"{}", b'"' + b"x" * 129 + b'"'])
def test_transaction_of_another_kind_is_a_mistake(transaction: bytes) -> None:
    request = asked(b'{"transaction":' + transaction + b"}")
    assert request is not None
    assert request.transaction is None
    assert request.mistakes == ("transaction: must be a whole number or text of at most 128 characters",)


def test_retained_request_is_refused_and_clearing_one_is_no_request() -> None:
    (line,) = mistakes(b"{}", retained=True)
    assert line.startswith("retained requests are not executed")
    assert asked(b"", retained=True) is None
    assert asked(b"") is None  # as MQTT 3.1.1 passes on what clears a retained one while we are there


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode) | JSON.map(msgspec.json.encode))
def test_no_payload_raises_anything(payload: bytes) -> None:
    for verb in ("pause", "settings"):
        request = asked(payload, verb)
        assert payload == b"" or request is not None


def test_number_of_mistakes_that_are_listed_has_a_limit() -> None:
    unknown = {f"key{number}": 1 for number in range(MOST_KEYS)}
    answer = listed(mistakes(msgspec.json.encode(unknown)))
    assert len(answer) == 11
    assert answer[-1] == "and 70 more"
    assert listed(("a", "b")) == ("a", "b")


@pytest.mark.parametrize("verb", ["pause", "settings"])
def test_number_of_keys_has_a_limit_on_all_levels_together(verb: str) -> None:
    flat = msgspec.json.encode({f"k{number}": 1 for number in range(900)})
    deep = msgspec.json.encode({"a": [{str(number): {"b": number}} for number in range(45)]})
    assert max(map(len, (flat, deep))) <= LARGEST_PAYLOAD
    for payload in (flat, deep):
        assert mistakes(payload, verb) == (f"the payload has more than {MOST_KEYS} keys",)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "a/+/b",
        "#",
        "$SYS/x",
        "$share/a/b",
        "a\0b",
        "a\x9bb",
        "x" * 257,
        "fer_edge",
        "fer_edge/porch/event",
        "fer_edge/porch/request/resume",
        "fer_edge/porch/availability",
        "fer_edge/porch/response",
        "fer_edge/porch/response/",
        "fer_edge/porchlight/event",
        "fer_edge/hall/request/pause",
        "homeassistant",
        "homeassistant/status",
        "homeassistant/device/fer_edge_porch/config",
    ],
)
def test_answer_goes_nowhere_where_it_would_be_taken_for_something_else(topic: str) -> None:
    request = asked(b"{}", reply_to=topic)
    assert request is not None
    assert len(request.mistakes) == 1
    assert request.reply_to == "fer_edge/porch/response/pause"
    assert request.refused_reply_to == topic


@pytest.mark.parametrize(
    "topic", ["answers", "fer_edge/porch/response/mine", "fer_edge2/x", "other/event", "homeassistants/x", "x" * 256]
)
def test_other_topics_may_be_answered_on(topic: str) -> None:
    request = asked(b"{}", reply_to=topic)
    assert request is not None
    assert (request.mistakes, request.reply_to, request.refused_reply_to) == ((), topic, None)


@pytest.mark.parametrize("topic", ["", "pause", "fer_edge/hall/request/pause", "fer_edge/porch/request/a/pause"])
def test_message_on_a_topic_that_was_not_subscribed_to_is_no_request(topic: str) -> None:
    assert read_request(ReceivedMessage(topic, b"{}", retained=False), TOPICS, "homeassistant") is None


def test_every_key_of_settings_goes_on_to_who_knows_them() -> None:
    body = {"nonsense": 1, "decide": None}
    request = asked(msgspec.json.encode(body), "settings")
    assert request is not None
    assert (request.mistakes, request.body) == ((), body)
