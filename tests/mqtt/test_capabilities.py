"""Brokers that lack retained messages or QoS 1: the daemon works with less, and names what is lost."""

import pytest

from fer_edge.mqtt.capabilities import ALL, FEWER, Abilities, Learned
from fer_edge.mqtt.requests import RequestQueue, Subscription
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Message
from tests.mqtt.byte_broker import CONNECT, PUBLISH, SUBSCRIBE, ByteBroker, Packet

TOPICS = Topics("fer_edge", "porch")
RETAIN, QOS = 1, 6  # bits of PUBLISH
WILL_RETAIN, WILL_QOS = 0x20, 0x18  # bits of CONNECT


def of_connect(packet: Packet) -> int:
    return packet[2][7]


def lines(caplog, text: str) -> int:
    return sum(text in line for line in caplog.messages)


def test_message_gets_as_much_as_the_broker_takes() -> None:
    message = Message("a", b"", qos=1, retain=True)
    assert ALL.fitted(message) is message
    assert Abilities(retain=False).fitted(message) == Message("a", b"", qos=1, retain=False)
    assert Abilities(qos=0).fitted(message) == Message("a", b"", qos=0, retain=True)
    event = Message("a", b"", qos=1, retain=False)
    assert Abilities(retain=False).fitted(event) is event


def test_what_is_lost_is_one_line_and_empty_where_nothing_is() -> None:
    assert ALL.lost() == ""
    assert all(one.lost() and "\n" not in one.lost() for one in FEWER)


def test_three_fruitless_links_lead_to_the_next_reduction_and_an_hour_back() -> None:
    learned = Learned()
    used = []
    for now in range(12):
        used.append(learned.abilities(float(now)))
        learned.hung_up(float(now))
    assert used == [ALL] * 3 + [FEWER[0]] * 3 + [FEWER[1]] * 3 + [FEWER[2]] * 3
    assert learned.abilities(20.0) == ALL  # none helped: from the beginning
    learned.lacks("qos", 30.0)
    assert learned.abilities(3600.0) == Abilities(qos=0)
    assert learned.abilities(3630.0) == ALL


def test_links_that_had_an_acknowledgement_between_them_lead_nowhere() -> None:
    learned = Learned()
    for now in range(100):
        learned.hung_up(float(now))
        if now % 3 == 1:
            learned.acknowledged()
    assert learned.abilities(100.0) == ALL


def test_broker_without_retain_says_so_in_mqtt_5_and_gets_none(make_device, caplog) -> None:
    with ByteBroker(connack=b"\x25\0") as broker:
        device = make_device(broker.port, protocol="5")
        device.say(5)
        device.settles()
        assert device.state().outbox.acknowledged == 5
        assert not any(flags & RETAIN for _, flags, _ in broker.received(PUBLISH))
        assert device.state().connects == 1
        assert lines(caplog, "keeps no retained messages") == 1


def test_broker_without_qos_1_says_so_in_mqtt_5_and_gets_qos_0(make_device, caplog) -> None:
    with ByteBroker(connack=b"\x24\0") as broker:
        device = make_device(broker.port, protocol="5")
        device.say(500)
        device.settles()
        assert device.state().outbox.acknowledged == 500
        assert not any(flags & QOS for _, flags, _ in broker.received(PUBLISH))
        assert lines(caplog, "takes no QoS 1") == 1
        assert device.delivery.stop(2.0)


def test_broker_without_wildcards_is_not_asked_for_any_and_the_loss_is_named(make_device, caplog, eventually) -> None:
    with ByteBroker(connack=b"\x28\0") as broker:
        listening = Subscription((TOPICS.requests, "homeassistant/status"), RequestQueue().put)
        device = make_device(broker.port, listening=listening, protocol="5")
        device.settles()
        eventually(lambda: lines(caplog, "subscribe to fer_edge/porch/request/+ (Wildcard subscription not"), "a line")
        ((_, _, body),) = broker.received(SUBSCRIBE)
        assert b"homeassistant/status" in body
        assert b"request" not in body


@pytest.mark.parametrize(("bit", "lost"), [(WILL_RETAIN, "no retained"), (WILL_QOS, "no QoS 1")])
def test_3_1_1_broker_that_hangs_up_on_the_will_gets_less(make_device, caplog, bit, lost) -> None:
    def refuses(packet: Packet) -> bool:
        return packet[0] == CONNECT and bool(of_connect(packet) & bit)

    with ByteBroker(hangs_up=refuses) as broker:
        device = make_device(broker.port, protocol="3.1.1")
        device.say(5)
        device.settles()
        assert device.state().outbox.acknowledged == 5
        assert lines(caplog, lost) == 1


@pytest.mark.parametrize("bits", [RETAIN, QOS, RETAIN | QOS])
def test_3_1_1_broker_that_hangs_up_on_what_is_published_gets_less_after_a_few_links(make_device, bits) -> None:
    def refuses(packet: Packet) -> bool:
        return packet[0] == PUBLISH and bool(packet[1] & bits)

    with ByteBroker(hangs_up=refuses) as broker:
        device = make_device(broker.port, protocol="3.1.1")
        device.say(5)
        device.settles()
        assert device.state().outbox.acknowledged >= 5


@pytest.mark.system
@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
@pytest.mark.parametrize("option", ["retain_available false", "max_qos 0"])
def test_mosquitto_that_has_less(make_mosquitto, make_device, option, protocol) -> None:
    broker = make_mosquitto("allow_anonymous true", option)
    broker.start()
    device = make_device(broker.port, protocol=protocol)
    device.say(20)
    device.settles()
    assert device.state().outbox.acknowledged == 20
    assert device.state().protocol == ("3.1.1" if protocol == "3.1.1" else "5")
    assert device.state().connects == 1
