"""Brokers that lack retained messages or QoS 1: the daemon works with less, and names what is lost."""

import random
from itertools import count

import pytest

from fer_edge.mqtt.capabilities import ALL, FEWER, Abilities, Learned, find_missing
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


def test_comparison_is_due_after_three_closed_links_without_an_acknowledgement_between_them() -> None:
    learned = Learned()
    assert [learned.hung_up() for _ in range(3)] == [False, False, True]
    learned.acknowledged()
    for _ in range(100):
        assert not learned.hung_up()
        assert not learned.hung_up()
        learned.acknowledged()


def test_result_of_a_comparison_is_kept_for_an_hour_and_without_proof_everything_is_used() -> None:
    learned = Learned()
    for _ in range(3):
        learned.hung_up()
    assert learned.abilities(0.0) == ALL  # never by closed links alone
    learned.compared(FEWER[1], 10.0)
    assert learned.abilities(3609.0) == FEWER[1]
    assert learned.abilities(3610.0) == ALL
    learned.compared(FEWER[1], 4000.0)
    learned.compared(None, 4010.0)
    assert learned.abilities(4010.0) == ALL
    learned.lacks("qos", 5000.0)
    assert learned.abilities(5000.0) == Abilities(qos=0)


@pytest.mark.parametrize("missing", FEWER)
def test_comparison_finds_what_the_broker_lacks(missing: Abilities) -> None:
    def is_acknowledged(used: Abilities) -> bool:
        return used.retain <= missing.retain and used.qos <= missing.qos

    assert find_missing(is_acknowledged) == missing


@pytest.mark.parametrize("period", range(1, 9))
@pytest.mark.parametrize("cut", [True, False])
def test_link_that_is_cut_at_regular_intervals_proves_nothing(period: int, cut: bool) -> None:  # noqa: FBT001
    for phase in range(period):
        number = count(phase)
        assert find_missing(lambda _, number=number: (next(number) % period == 0) is not cut) is None


def test_link_that_changes_at_random_proves_nothing() -> None:
    dice = random.Random(1)
    for _ in range(20_000):
        is_up = [dice.random() < 0.5]  # a link changes more slowly than sessions follow each other

        def is_acknowledged(_: Abilities, is_up: list[bool] = is_up) -> bool | None:
            is_up[0] ^= dice.random() < 0.2
            return is_up[0] or dice.choice((False, None))

        assert find_missing(is_acknowledged) is None


@pytest.mark.parametrize("kind", [CONNECT, PUBLISH])
@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_link_that_is_cut_again_and_again_does_not_reduce_qos_or_retain(make_device, caplog, kind, protocol) -> None:
    cuts = count(1)

    def cut(packet: Packet) -> bool:
        return packet[0] == kind and next(cuts) <= 10

    with ByteBroker(hangs_up=cut) as broker:
        device = make_device(broker.port, protocol=protocol)
        device.say(5)
        device.settles()
        assert len(broker.connections) > 10
        published = [flags for kind, flags, _ in broker.connections[-1] if kind == PUBLISH]
        assert len(published) >= 5
        assert all(flags & QOS for flags in published)
        assert published[0] & RETAIN  # availability
        assert lines(caplog, "keeps no retained") == lines(caplog, "does not support QoS 1") == 0
        assert device.state().protocol == ("3.1.1" if protocol == "3.1.1" else "5")


@pytest.mark.system
@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_link_to_mosquitto_that_is_cut_again_and_again_loses_nothing(
    mosquitto, make_relay, make_device, listen, protocol
):
    listener = listen(mosquitto.port)
    relay = make_relay(mosquitto.port)
    device = make_device(relay.port, protocol=protocol)
    for cut in range(12):
        device.say(50)
        if cut % 3 == 0:
            device.connects()
        relay.cut()
        device.say(50)
        relay.join()
    device.settles()
    audit = listener.audit()
    assert (audit.problems(), audit.events) == ([], audit.events)
    assert set(listener.seqs()) == set(range(1, device.made + 1))


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
        assert lines(caplog, "does not support QoS 1") == 1
        assert device.delivery.stop(2.0)


def test_broker_without_wildcards_is_not_asked_for_any_and_the_loss_is_named(make_device, caplog, eventually) -> None:
    with ByteBroker(connack=b"\x28\0") as broker:
        subscription = Subscription((TOPICS.requests, "homeassistant/status"), RequestQueue().put)
        device = make_device(broker.port, subscription=subscription, protocol="5")
        device.settles()
        eventually(
            lambda: lines(caplog, "subscription to fer_edge/porch/request/+ (Wildcard subscription not"), "a line"
        )
        ((_, _, body),) = broker.received(SUBSCRIBE)
        assert b"homeassistant/status" in body
        assert b"request" not in body


@pytest.mark.parametrize(("bit", "lost"), [(WILL_RETAIN, "keeps no retained"), (WILL_QOS, "not support QoS 1")])
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
