"""Malformed and oversized packets: none ends delivery or the daemon."""

import collections
import random
import tracemalloc
from collections.abc import Callable
from io import StringIO
from itertools import chain, repeat

import pytest
from rich.console import Console

from fer_edge.errors import UserError
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.mqtt.requests import RequestQueue, Subscription
from fer_edge.mqtt.session import MAX_PACKET_BYTES
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.client import Subscriber
from fer_edge.subscriber.command import EventsOptions, follow
from tests.mqtt.byte_broker import CONNECT, PUBLISH, SUBSCRIBE, ByteBroker, framed, pair, publish

TOPICS = Topics("fer_edge", "porch")
PAUSE = TOPICS.request("pause").encode()
GOOD = publish(PAUSE, b"{}", retain=False)
GOOD_311 = publish(PAUSE, b"{}", properties=None, retain=False)
NO_BREAK = "\ufeff".encode()  # MQTT 5.0 section 1.5.4 allows it, paho refuses it


@pytest.fixture
def listening(make_device, eventually) -> Callable[..., tuple]:
    """Return `listening(port, **settings)`: a device that takes requests, and what it has taken."""

    def make(port: int, **others: object) -> tuple:
        inbox, heard = RequestQueue(burst=10_000), []
        device = make_device(port, subscription=Subscription((TOPICS.requests,), inbox.put), **others)

        def taken() -> list:
            while (one := inbox.take(0.0)) is not None:
                heard.append(one)
            return heard

        return device, taken

    return make


MALFORMED = {
    "user property with U+FEFF": publish(PAUSE, b"{}", properties=pair(NO_BREAK, b""), identifier=7, retain=True),
    "user property that is no UTF-8": publish(PAUSE, b"{}", properties=pair(b"\xe9", b""), identifier=7, retain=True),
    "response topic with NUL": publish(PAUSE, b"{}", properties=b"\x08\0\1\0", identifier=7, retain=True),
    "unknown property": publish(PAUSE, b"{}", properties=b"\x7f\0", identifier=7, retain=True),
    "property twice": publish(PAUSE, b"{}", properties=b"\x01\0\x01\0", identifier=7, retain=True),
    "property of another packet": publish(PAUSE, b"{}", properties=b"\x11\0\0\0\1", identifier=7, retain=True),
    "properties longer than the packet": framed(0x33, len(PAUSE).to_bytes(2) + PAUSE + b"\0\7" + b"\xff\xff\xff\x7f"),
    "topic that is no UTF-8": publish(b"fer_edge/porch/request/\xe9", b"{}", identifier=7, retain=True),
}


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED)
def test_message_that_cannot_be_parsed_is_dropped_acknowledged_and_named(packet, listening, eventually, caplog):
    with ByteBroker(subscribed=packet * 3 + GOOD) as broker:
        device, taken = listening(broker.port, protocol="5")
        device.say(5)
        device.settles()
        eventually(taken, "the request after it")
        assert [one.payload for one in taken()] == [b"{}"]
        assert device.state().connects == 1
        assert set(broker.acknowledged()) == {b"\0\7"}
        named = [line for line in caplog.messages if "malformed PUBLISH" in line]
        assert len(named) == 1
        assert "fer_edge/porch/request/" in named[0]
        assert named[0].isprintable()
        device.delivery.stop(1.0)


STRANGE = {
    "unknown type": b"\xf0\x03abc",
    "a client's packet": framed(0x10, b"\0\4MQTT\5"),
    "PUBLISH of QoS 3": framed(0x36, b"\0\1a\0\1\0"),
    "PUBLISH without a topic's end": framed(0x32, b"\0\x50abc"),
    "empty PUBLISH": b"\x30\0",
    "PINGRESP with content": b"\xd0\x01a",
    "PUBACK of one byte": b"\x40\x01\0",
    "PUBACK of nobody": b"\x40\x02\x7f\x7f",
    "SUBACK of nothing": b"\x90\0",
    "UNSUBACK": b"\xb0\x02\0\1",
    "PUBREL with rubbish": b"\x62\x05\0\1\0\xff\xff",
}


@pytest.mark.parametrize("packet", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_packet_that_nobody_expects_is_passed_over(packet, protocol, listening, eventually):
    with ByteBroker(subscribed=packet + (GOOD if protocol == "5" else GOOD_311)) as broker:
        device, taken = listening(broker.port, protocol=protocol)
        device.say(5)
        device.settles()
        eventually(taken, "the request after it")
        assert device.state().connects == 1
        device.delivery.stop(1.0)


ACKNOWLEDGEMENTS = {
    "reason string with U+FEFF": lambda identifier: framed(0x40, identifier + b"\0\x06\x1f\0\3" + NO_BREAK),
    "unknown reason code of success": lambda identifier: framed(0x40, identifier + b"\x42"),
    "unknown property": lambda identifier: framed(0x40, identifier + b"\0\x02\x7f\0"),
}


@pytest.mark.parametrize("puback", ACKNOWLEDGEMENTS.values(), ids=ACKNOWLEDGEMENTS)
def test_acknowledgement_with_malformed_properties_counts(puback, listening):
    with ByteBroker(puback=puback) as broker:
        device, _ = listening(broker.port, protocol="5")
        device.say(30)
        device.settles()
        tally = device.state().outbox
        assert (tally.acknowledged, tally.refused, device.state().connects) == (30, 0, 1)


def test_acknowledgement_with_an_unknown_code_of_failure_is_a_refusal(listening, eventually):
    with ByteBroker(puback=lambda identifier: framed(0x40, identifier + b"\xfe")) as broker:
        device, _ = listening(broker.port, protocol="5")
        device.say(3)
        eventually(lambda: device.state().outbox.refused == 3, "three refusals")


@pytest.mark.parametrize(
    "suback", [lambda one, _: framed(0x90, one + b"\x04\x1f\0\1\0\xfe"), lambda one, _: framed(0x90, one + b"\0\xfe")]
)
def test_refused_subscription_is_named_though_its_packet_is_malformed(suback, listening, caplog, eventually):
    with ByteBroker(suback=suback) as broker:
        device, _ = listening(broker.port, protocol="5")
        device.say(3)
        device.settles()
        eventually(lambda: "rejects the subscription to fer_edge/porch/request/+" in caplog.text, "a line")


def test_link_goes_on_after_a_disconnect_that_cannot_be_parsed(listening, eventually):
    ended = []
    parting = framed(0xE0, b"\x8d\x05\x1f\0\2\0\0")

    def puback(identifier: bytes) -> bytes:
        ended.append(identifier)
        return parting if len(ended) == 1 else b"\x40\x02" + identifier

    with ByteBroker(puback=puback) as broker:
        device, _ = listening(broker.port, protocol="5")
        device.say(3)
        eventually(lambda: device.state().outbox.acknowledged == 3, "all is acknowledged")


def test_malformed_greeting_is_named_and_3_1_1_is_tried(listening, eventually, caplog):
    with ByteBroker(connack=pair(NO_BREAK, b"")) as broker:
        device, _ = listening(broker.port)
        device.settles()
        assert device.state().protocol == "3.1.1"
    with ByteBroker(connack=pair(NO_BREAK, b"")) as broker:
        device, _ = listening(broker.port, protocol="5")
        eventually(lambda: "answers with a malformed CONNACK" in device.state().text, "the reason")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_announced_length_ends_the_link_and_events_go_on_without_the_subscription(protocol, listening, eventually):
    announced = b"\x31\xff\xff\xff\x7f" + b"x" * 1_000_000  # PUBLISH, with 268,435,455 bytes to come
    with ByteBroker(subscribed=announced) as broker:
        device, taken = listening(broker.port, protocol=protocol, unsubscribed_s=3600.0)
        device.connects(2)
        tracemalloc.start()
        device.say(30)
        device.settles()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50_000_000
        assert device.state().outbox.acknowledged == 30
        assert device.state().connects == 2
        assert "requests are paused" in device.state().text
        assert [one[0] for one in broker.connections[1]][:2] == [CONNECT, PUBLISH]
        assert taken() == []


def test_requests_are_taken_again_after_a_while(listening, eventually):
    with ByteBroker(subscribed=framed(0x30, b"\0\1a" + b"x" * MAX_PACKET_BYTES)) as broker:
        listening(broker.port, protocol="3.1.1", unsubscribed_s=0.2)
        eventually(lambda: len(broker.received(SUBSCRIBE)) >= 3, "subscribed again, twice")


def test_subscriber_of_events_names_what_cannot_be_parsed_and_goes_on(settings_for, eventually):
    event = TOPICS.event.encode()
    bad = publish(event, b"{}", properties=pair(NO_BREAK, b""), identifier=7, retain=False)
    good = publish(event, b'{"id": "a-1"}', retain=False)
    with (
        ByteBroker(subscribed=bad + good) as broker,
        Subscriber(settings_for(broker.port, protocol="5"), "porch", (TOPICS.event,)) as subscription,
    ):
        heard = []
        eventually(lambda: heard.extend(subscription.receive(0.1)) or heard, "the good one")
        assert [one.payload for one in heard] == [b'{"id": "a-1"}']
        (line,) = subscription.dropped()
        assert "malformed PUBLISH" in line


def test_subscriber_of_events_reads_no_message_of_megabytes(settings_for):
    with (
        ByteBroker(subscribed=b"\x31\xff\xff\xff\x7f") as broker,
        Subscriber(settings_for(broker.port, protocol="3.1.1"), "porch", (TOPICS.event,)) as subscription,
        pytest.raises(BrokerError, match="more than 1048576 bytes") as caught,
    ):
        collections.deque(chain.from_iterable(map(subscription.receive, repeat(0.1))), maxlen=0)
    assert caught.value.too_large


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_rubbish_in_every_kind_of_packet_ends_neither_the_thread_nor_the_link(protocol, listening, eventually):
    dice = random.Random(15)
    kinds = [kind for kind in range(1, 16) if kind not in (2, 14)]  # another CONNACK and DISCONNECT may end a link
    rubbish = b"".join(
        framed(dice.choice(kinds) << 4 | dice.randrange(16), dice.randbytes(dice.choice((0, 1, 2, 3, 5, 40))))
        for _ in range(3000)
    )
    with ByteBroker(subscribed=rubbish + (GOOD if protocol == "5" else GOOD_311)) as broker:
        device, taken = listening(broker.port, protocol=protocol)
        device.say(20)
        device.settles()
        eventually(lambda: any(one.payload == b"{}" for one in taken()), "the request after it")
        assert device.state().connects == 1
        device.delivery.stop(1.0)


def test_command_that_shows_events_ends_with_one_line_at_a_message_of_megabytes(settings_for):
    console = Console(file=StringIO())
    with ByteBroker(subscribed=b"\x31\xff\xff\xff\x7f") as broker:
        settings = settings_for(broker.port, protocol="3.1.1")
        with pytest.raises(UserError, match="more than 1048576 bytes"):
            follow(settings, "porch", EventsOptions(for_s=30.0), console, console)


def test_command_that_shows_events_names_a_message_that_cannot_be_parsed(settings_for):
    console, complaints = (Console(file=StringIO(), width=300) for _ in range(2))
    event = TOPICS.event.encode()
    bad = publish(event, b"{}", properties=pair(NO_BREAK, b""), identifier=7, retain=False)
    good = publish(event, b'{"id": "a-1"}', retain=False)
    with ByteBroker(subscribed=bad + good * 2) as broker:
        settings = settings_for(broker.port, protocol="5")
        assert follow(settings, "porch", EventsOptions(count=2), console, complaints) == 0
    assert complaints.file.getvalue().count("malformed PUBLISH") == 1
    assert console.file.getvalue().count("a-1") == 2
