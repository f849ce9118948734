import socket
import subprocess
import sys
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from fer_edge.demo.broker import START_S, loopback_broker
from fer_edge.errors import UserError


def round_trip(port: int) -> str:
    """What a subscriber hears of a message that the same client publishes."""
    heard: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_subscribe = lambda *_: client.publish("a/b", "hello", qos=1)
    client.on_message = lambda _client, _data, message: heard.append(message.payload.decode())
    client.connect("127.0.0.1", port)
    client.subscribe("a/#", qos=1)
    deadline = time.monotonic() + 10
    while not heard and time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    return "".join(heard)


@pytest.mark.system
def test_broker_carries_messages_and_is_gone_after_the_block() -> None:
    with loopback_broker() as broker:
        assert round_trip(broker.port) == "hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), timeout=1)


@pytest.mark.system
def test_embedded_broker_carries_messages_where_mosquitto_is_not_installed() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fer_edge.demo.amqtt_broker", "127.0.0.1", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_S
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            assert round_trip(port) == "hello"
        finally:
            process.terminate()
    assert process.returncode == 0


def test_missing_broker_is_one_line_that_says_what_to_install() -> None:
    def nothing(name: str, path: str | None = None) -> None:
        asked.append(name)

    asked: list[str] = []
    with pytest.raises(UserError, match="apt install mosquitto"), loopback_broker(nothing, nothing):
        pass
    assert asked == ["mosquitto", "mosquitto", "amqtt"]  # on the user's PATH, where Debian keeps it, in Python
