"""MQTT 5 properties beside their payload, byte by byte (MQTT 5.0, 2.2.2 and 3.3.2.3)."""

import pytest

from fer_edge.mqtt.session import PublishProperties, publish_size
from fer_edge.types import Message

EXPIRY, CORRELATION = b"\x02", b"\x09"


def message(expiry_s: int | None = None, correlation: bytes | None = None) -> Message:
    return Message("a/topic", b"{}", expiry_s=expiry_s, correlation=correlation)


@pytest.mark.parametrize(
    ("one", "packed"),
    [
        (message(604800), b"\x05" + EXPIRY + b"\x00\x09\x3a\x80"),
        (message(None, b"\x00\xff"), b"\x05" + CORRELATION + b"\x00\x02\x00\xff"),
        (message(1, b"k"), b"\x09" + EXPIRY + b"\x00\x00\x00\x01" + CORRELATION + b"\x00\x01k"),
    ],
)
def test_properties_are_packed_as_the_standard_says(one: Message, packed: bytes) -> None:
    properties = PublishProperties().of(one)
    assert properties is not None
    assert properties.pack() == packed  # type: ignore[no-untyped-call]


def test_each_expiry_is_packed_as_its_own_and_comes_back() -> None:
    properties = PublishProperties()
    given = [properties.of(message(expiry_s)) for expiry_s in (7, 7, 8, 7)]
    assert [one and one.pack()[-1] for one in given] == [7, 7, 8, 7]  # type: ignore[no-untyped-call]


def test_message_that_lives_for_ever_and_answers_nobody_has_none() -> None:
    assert PublishProperties().of(message()) is None


@pytest.mark.parametrize(
    ("one", "size"),
    [
        (message(), 1 + 1 + (2 + 7) + 2 + 1 + 2),  # kind, length, topic, identifier, properties, payload
        (message(600), 1 + 1 + (2 + 7) + 2 + (1 + 5) + 2),
        (Message("a/topic", b"{}", qos=0), 1 + 1 + (2 + 7) + 1 + 2),
        (Message("ä/topic", b"x" * 114), 1 + 1 + 127),
        (Message("ä/topic", b"x" * 115), 1 + 2 + 128),
        (Message("ä/topic", b"x" * 16370), 1 + 2 + 16383),
        (Message("ä/topic", b"x" * 16371), 1 + 3 + 16384),
    ],
)
def test_size_of_a_packet_is_what_the_standard_counts(one: Message, size: int) -> None:
    assert publish_size(one, PublishProperties().of(one)) == size
