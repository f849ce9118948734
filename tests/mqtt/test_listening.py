"""Messages to the device over a real mosquitto."""

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fer_edge.mqtt.requests import ReceivedMessage, RequestQueue, Subscription
from fer_edge.mqtt.session import MAX_PACKET_BYTES
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Message

pytestmark = pytest.mark.system

TOPICS = Topics("fer_edge", "porch")


@pytest.fixture
def ask(mosquitto, eventually):
    """Return `ask(topic, payload, retain, **MQTT 5 properties)`: published, and taken by the broker."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.reconnect_delay_set(0.05, 0.1)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()

    def publish(topic: str, payload: bytes, *, retain: bool = False, **more: object) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        for name, value in more.items():
            setattr(properties, name, value)
        eventually(client.is_connected, "who asks is connected, also after a restart")
        client.publish(topic, payload, 1, retain, properties).wait_for_publish(10)

    yield publish
    client.disconnect()
    client.loop_stop()


def everything(inbox: RequestQueue) -> list[ReceivedMessage]:
    heard = []
    while (one := inbox.take(0.0)) is not None:
        heard.append(one)
    return heard


def listening_device(make_device, port, **others):
    inbox = RequestQueue(burst=10_000)
    device = make_device(port, subscription=Subscription((TOPICS.requests,), inbox.put), **others)
    device.connects()
    return device, inbox


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_request_is_heard_in_both_versions_and_nothing_else_is(
    mosquitto, make_device, listen, ask, eventually, protocol
):
    listener = listen(mosquitto.port)
    _, inbox = listening_device(make_device, mosquitto.port, protocol=protocol)
    eventually(listener.availability, "online")
    ask("fer_edge/porch/other", b"{}")
    ask("fer_edge/elsewhere/request/pause", b"{}")
    ask(TOPICS.request("pause"), b'{"a":1}', ResponseTopic="mine", CorrelationData=b"\x00\xff")
    heard = []
    eventually(lambda: heard.extend(everything(inbox)) or heard, "the request")
    reply_to, correlation = ("mine", b"\x00\xff") if protocol == "5" else (None, None)
    assert heard == [ReceivedMessage(TOPICS.request("pause"), b'{"a":1}', False, reply_to, correlation)]


def test_retained_request_is_marked_as_one_also_where_it_was_sent_while_we_were_there(
    mosquitto, make_device, ask, eventually, listen
):
    listener = listen(mosquitto.port)
    ask(TOPICS.request("pause"), b"{}", retain=True)
    _, inbox = listening_device(make_device, mosquitto.port)
    eventually(listener.availability, "online")
    heard = []
    eventually(lambda: heard.extend(everything(inbox)) or heard, "the old one")
    ask(TOPICS.request("resume"), b"{}", retain=True)
    eventually(lambda: heard.extend(everything(inbox)) or len(heard) == 2, "the new one")
    assert [(one.topic, one.retained) for one in heard] == [
        (TOPICS.request("pause"), True),
        (TOPICS.request("resume"), True),
    ]


def test_answer_goes_where_it_was_asked_for_with_the_correlation(mosquitto, make_device, listen):
    listener = listen(mosquitto.port)
    device, _ = listening_device(make_device, mosquitto.port)
    device.link.publish(Message(TOPICS.response("pause"), b"1", expiry_s=60, correlation=b"one"))
    device.link.publish(Message(TOPICS.response("pause"), b"2", expiry_s=60))
    listener.gets(2, TOPICS.response("pause"))
    device.settles()
    answers = listener.of(TOPICS.response("pause"))
    assert [(one.payload, one.correlation, one.retain) for one in answers] == [
        (b"1", b"one", False),
        (b"2", None, False),
    ]


def test_device_that_was_subscribed_before_a_broker_s_restart_hears_after_it(mosquitto, make_device, eventually, ask):
    device, inbox = listening_device(make_device, mosquitto.port)
    mosquitto.kill()
    mosquitto.start()
    device.connects(2)
    heard = []

    def heard_at_last() -> object:
        ask(TOPICS.request("pause"), b"{}")
        heard.extend(everything(inbox))
        return heard

    eventually(heard_at_last, "the request after the restart")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_message_too_large_to_be_a_request_is_never_heard_and_the_device_goes_on(
    mosquitto, make_device, ask, eventually, protocol
):
    device, inbox = listening_device(make_device, mosquitto.port, protocol=protocol)
    ask(TOPICS.request("pause"), b"x" * 5_000_000)
    ask(TOPICS.request("pause"), b"y" * (MAX_PACKET_BYTES + 1))
    heard = []

    def heard_the_small_one() -> bool:
        ask(TOPICS.request("pause"), b"{}")
        heard.extend(everything(inbox))
        return any(one.payload == b"{}" for one in heard)

    eventually(heard_the_small_one, "a request after the giants")
    assert {one.payload for one in heard} == {b"{}"}
    assert device.state().connected
