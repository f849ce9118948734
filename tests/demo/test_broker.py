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
    """Payload that a subscriber receives of a message published by the same client."""
    received: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_subscribe = lambda *_: client.publish("a/b", "hello", qos=1)
    client.on_message = lambda _client, _data, message: received.append(message.payload.decode())
    client.connect("127.0.0.1", port)
    client.subscribe("a/#", qos=1)
    deadline = time.monotonic() + 10
    while not received and time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    return "".join(received)


@pytest.mark.system
def test_broker_delivers_messages_and_stops_after_the_block() -> None:
    with loopback_broker() as broker:
        assert round_trip(broker.port) == "hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), timeout=1)


@pytest.mark.system
def test_amqtt_delivers_messages_without_mosquitto() -> None:
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


def test_error_without_a_broker_names_what_to_install() -> None:
    def nothing(name: str, path: str | None = None) -> None:
        searched.append(name)

    searched: list[str] = []
    with pytest.raises(UserError, match="apt install mosquitto"), loopback_broker(nothing, nothing):
        pass
    assert searched == ["mosquitto", "mosquitto", "amqtt"]  # on the user's PATH, where Debian keeps it, in Python
