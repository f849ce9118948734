"""Which brokers the link gets on with, and what it says of the others."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest

from fer_edge.config.model import MqttSettings, TlsSettings
from fer_edge.mqtt.connect import Timeouts, broker_of, open_session
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.mqtt.outbox import InFlight
from fer_edge.mqtt.probe import probe
from fer_edge.mqtt.session import Answer, Session
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.client import Subscriber
from fer_edge.types import Message

LOOPBACK = "127.0.0.1"
TOPICS = Topics("fer_edge", "porch")
GIVE_UP_S = 5.0
SHORT = Timeouts(connect_s=1.0, answer_s=0.4, first_retry_s=0.05)
GREETING_5 = b"\x20\x03\x00\x00\x00"  # CONNACK, success, no properties
GREETING_311 = b"\x20\x02\x00\x00"
# The handshake fails inside of paho, which leaves the socket to the garbage collector.
UNCLOSED = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


class Script:
    """A broker that answers each connection with prepared bytes: one list a connection, one entry a packet received."""

    def __init__(self, connections: list[list[bytes]]) -> None:
        self.received: list[list[bytes]] = []
        self._server = socket.create_server((LOOPBACK, 0))
        self._server.settimeout(GIVE_UP_S)
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(connections,))
        self._thread.start()

    def _run(self, connections: list[list[bytes]]) -> None:
        with contextlib.suppress(TimeoutError):  # a test that failed before its end leaves nobody waiting for ever
            for answers in connections:
                client, _ = self._server.accept()
                with client:
                    client.settimeout(GIVE_UP_S)
                    self._answer(client, answers)

    def _answer(self, client: socket.socket, answers: list[bytes]) -> None:
        self.received.append([])
        for answer in answers:
            self.received[-1].append(client.recv(4096))
            client.sendall(answer)
        if answers and answers[-1] == b"":  # an empty last answer: it stays silent until the client goes
            while client.recv(4096):
                pass

    def close(self) -> None:
        self._thread.join()
        self._server.close()


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def make(*connections: list[bytes]) -> Script:
        made.append(Script(list(connections)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def opened(settings: MqttSettings, versions: tuple[str, ...] = ("5", "3.1.1")) -> Session:
    return open_session(settings, broker_of(settings, "porch"), versions, SHORT)


def answers_of(session: Session) -> list[Answer]:
    """The next answers; waits for them."""
    while not (answers := session.serve(1.0)):
        pass
    return answers


def test_broker_that_never_answers_mqtt_5_is_spoken_to_in_3_1_1(script):
    broker = script([b""], [GREETING_311, b""])
    session = opened(MqttSettings(host=LOOPBACK, port=broker.port))
    assert session.version == "3.1.1"
    assert broker.received[0][0][8] == 5  # the protocol level in CONNECT
    assert broker.received[1][0][8] == 4
    session.end()


def test_broker_that_refuses_the_version_is_spoken_to_in_3_1_1(script):
    broker = script([b"\x20\x02\x00\x01"], [GREETING_311, b""])
    session = opened(MqttSettings(host=LOOPBACK, port=broker.port))
    assert session.version == "3.1.1"
    session.end()


def test_broker_that_hangs_up_on_mqtt_5_is_spoken_to_in_3_1_1(script):
    broker = script([], [GREETING_311, b""])
    session = opened(MqttSettings(host=LOOPBACK, port=broker.port))
    assert session.version == "3.1.1"
    session.end()


def test_refusal_of_the_password_is_not_taken_for_an_old_version(script):
    broker = script([b"\x20\x03\x00\x86\x00"])
    with pytest.raises(BrokerError, match=r"rejects user 'cam' \(Bad user name or password\): check mqtt.username"):
        opened(MqttSettings(host=LOOPBACK, port=broker.port, username="cam"))


def test_what_is_no_broker_at_all_is_said_so(script):
    broker = script([b""], [b""])
    with pytest.raises(BrokerError, match=r"does not answer in MQTT 5 or 3\.1\.1: is this an MQTT broker"):
        opened(MqttSettings(host=LOOPBACK, port=broker.port))


def test_version_that_was_asked_for_alone_is_tried_alone(script):
    broker = script([b"\x20\x02\x00\x01"])
    with pytest.raises(BrokerError, match=r"set mqtt\.protocol to auto"):
        opened(MqttSettings(host=LOOPBACK, port=broker.port), ("5",))


def test_broker_that_says_who_took_the_id_is_quoted(script):
    broker = script([GREETING_5, b"\xe0\x02\x8e\x00"])  # DISCONNECT, session taken over
    session = opened(MqttSettings(host=LOOPBACK, port=broker.port))
    session.send(InFlight(1, Message("a", b"1")))
    with pytest.raises(BrokerError, match="another client took over the client id 'fer_edge-porch'"):
        answers_of(session)


def test_broker_that_wants_fewer_messages_in_flight_gets_fewer(script):
    broker = script([b"\x20\x06\x00\x00\x03\x21\x00\x02", b""])  # CONNACK, receive maximum 2
    session = opened(MqttSettings(host=LOOPBACK, port=broker.port))
    assert session.room == 2
    session.send(InFlight(1, Message("a", b"1")))
    assert session.room == 1
    session.end()


def test_acknowledgement_that_refuses_names_topic_and_reason(script):
    broker = script([GREETING_5, b"\x40\x04\x00\x01\x87\x00", b""])  # PUBACK of message 1, not authorized
    session = opened(MqttSettings(host=LOOPBACK, port=broker.port))
    session.send(InFlight(7, Message("a", b"1")))
    assert answers_of(session) == [Answer(7, "a", 0x87, "Not authorized")]
    session.end()


def test_broker_that_acknowledges_nothing_is_given_up_though_it_is_there(script):
    broker = script([GREETING_5, b""])
    settings = MqttSettings(host=LOOPBACK, port=broker.port, keepalive_s=0)  # 0: no pings, and no patience either
    session = opened(settings)
    session.send(InFlight(1, Message("a", b"1")))
    with pytest.raises(BrokerError, match="does not respond"):
        answers_of(session)
    session.abandon()


def test_unknown_host_and_closed_port_are_told_apart(free_port):
    with pytest.raises(BrokerError, match=r"name 'no\.such\.host\.invalid' is not known: check mqtt.host"):
        opened(MqttSettings(host="no.such.host.invalid"))
    with pytest.raises(BrokerError, match="is the broker running"):
        opened(MqttSettings(host=LOOPBACK, port=free_port()))


def test_password_file_that_goes_away_later_is_trouble_and_no_crash(tmp_path):
    with pytest.raises(BrokerError, match=r"mqtt\.password_file: cannot read .*gone: No such file"):
        opened(MqttSettings(username="cam", password_file=str(tmp_path / "gone")))


@pytest.mark.system
def test_amqtt_is_spoken_to_in_3_1_1(free_port, make_device, eventually):
    if find_spec("amqtt") is None:
        pytest.skip("amqtt is not installed: pip install 'fer-edge[demo]'")
    port = free_port()
    command = [sys.executable, "-m", "fer_edge.demo.amqtt_broker", LOOPBACK, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as broker:
        try:
            eventually(lambda: accepts(port), "amqtt listens")
            device = make_device(port, event_expiry_s=60)
            device.say(30)
            device.settles()
            assert device.state().protocol == "3.1.1"
            assert device.state().outbox.acknowledged == 30
            assert device.link.stop(3.0)
        finally:
            broker.kill()


@pytest.fixture
def tls_broker(make_mosquitto, certificates):
    """A running mosquitto that speaks TLS alone."""

    def make(*options: str, certificate=None):
        broker = make_mosquitto(
            "allow_anonymous true",
            f"cafile {certificates.ca}",
            f"certfile {certificate or certificates.server}",
            f"keyfile {certificates.server_key}",
            *options,
        )
        broker.start()
        return broker

    return make


def trusting(ca, **others) -> TlsSettings:
    return TlsSettings(enabled=True, ca=str(ca), **others)


@pytest.mark.system
def test_tls_with_an_own_authority(tls_broker, certificates, settings_for):
    line = probe(settings_for(tls_broker().port, host="localhost", tls=trusting(certificates.ca)), TOPICS, (), SHORT)
    assert "MQTT 5, without a user name, with TLS" in line


@pytest.mark.system
@UNCLOSED
def test_wrong_authority_is_told(tls_broker, certificates, settings_for):
    with pytest.raises(BrokerError, match=r"is not trusted \(.*\): mqtt\.tls\.ca must name the authority"):
        opened(settings_for(tls_broker().port, tls=trusting(certificates.other_ca)))


@pytest.mark.system
@UNCLOSED
def test_expired_certificate_is_told(tls_broker, certificates, settings_for):
    broker = tls_broker(certificate=certificates.expired)
    with pytest.raises(BrokerError, match=r"certificate has expired\): renew it, or set this device's clock"):
        opened(settings_for(broker.port, tls=trusting(certificates.ca)))


@pytest.mark.system
@UNCLOSED
def test_certificate_for_another_name_is_told(tls_broker, certificates, settings_for):
    broker = tls_broker(certificate=certificates.stranger)
    with pytest.raises(BrokerError, match=r"mqtt\.host must be a name that is in the certificate"):
        opened(settings_for(broker.port, tls=trusting(certificates.ca)))
    with pytest.raises(BrokerError, match=r"mqtt\.host must be a name that is in the certificate"):
        opened(settings_for(broker.port, host="localhost", tls=trusting(certificates.ca)))


@pytest.mark.system
def test_client_certificate_is_asked_for_and_used(tls_broker, certificates, settings_for):
    broker = tls_broker("require_certificate true")
    with pytest.raises(BrokerError, match=r"mqtt\.tls\.certificate"):
        opened(settings_for(broker.port, tls=trusting(certificates.ca)))
    own = {"certificate": str(certificates.client), "key": str(certificates.client_key)}
    opened(settings_for(broker.port, tls=trusting(certificates.ca, **own))).end()


@pytest.mark.system
@UNCLOSED
def test_tls_on_a_plain_port_and_plain_on_a_tls_port_are_told(tls_broker, mosquitto, certificates, settings_for):
    with pytest.raises(BrokerError, match=r"does not support TLS with these settings \(.+\): check mqtt\.port"):
        opened(settings_for(mosquitto.port, tls=trusting(certificates.ca)))
    with pytest.raises(BrokerError, match=r"does it require mqtt\.tls\.enabled"):
        opened(settings_for(tls_broker().port))


@pytest.fixture
def websocket_port(make_mosquitto, free_port, eventually):
    """Return `port(*options)`: where a mosquitto takes WebSocket alone. Without a plain listener 2.0.11 often ends."""

    def make(*options: str) -> int:
        port = free_port()
        make_mosquitto("allow_anonymous true", f"listener {port}", "protocol websockets", *options).start()
        eventually(lambda: accepts(port), "mosquitto listens for WebSocket")
        return port

    return make


@pytest.mark.system
def test_websocket_carries_events(websocket_port, make_device):
    device = make_device(websocket_port(), transport="websocket")
    device.say(300)
    device.settles()
    assert device.state().outbox.acknowledged == 300
    assert device.state().connects == 1
    assert device.link.stop(3.0)


@pytest.mark.system
def test_websocket_is_listened_to_as_well(websocket_port, make_device, settings_for):
    port = websocket_port()
    device = make_device(port, transport="websocket")
    topics = Topics("fer_edge", "porch")
    with Subscriber(settings_for(port, transport="websocket"), "porch", (topics.event,)) as subscription:
        device.say(30)
        heard = []
        while len(heard) < 30:
            heard += subscription.receive(GIVE_UP_S)
    assert [one.topic for one in heard] == [topics.event] * 30


@pytest.mark.system
def test_websocket_with_tls(websocket_port, certificates, settings_for):
    port = websocket_port(
        f"cafile {certificates.ca}", f"certfile {certificates.server}", f"keyfile {certificates.server_key}"
    )
    line = probe(
        settings_for(port, host="localhost", tls=trusting(certificates.ca), transport="websocket"), TOPICS, (), SHORT
    )
    assert "MQTT 5, without a user name, by WebSocket, with TLS" in line


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")  # as with TLS, see UNCLOSED
def test_websocket_where_there_is_none_is_told(mosquitto, settings_for):
    with pytest.raises(
        BrokerError, match=r"does not support WebSocket at /mqtt \(.+\): check mqtt\.port and mqtt\.websocket"
    ):
        opened(settings_for(mosquitto.port, transport="websocket"))


@pytest.mark.system
def test_tcp_on_a_port_for_websocket_is_told(websocket_port, settings_for):
    with pytest.raises(BrokerError, match=r"does not answer in MQTT 5 or 3\.1\.1.* mqtt\.transport: websocket"):
        opened(settings_for(websocket_port()))


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


@pytest.mark.system
def test_broker_with_an_address_of_ipv6(make_mosquitto, free_port, settings_for):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    make_mosquitto("allow_anonymous true", f"listener {port} ::1").start()
    session = opened(settings_for(port, host="::1"))
    assert session.version == "5"
    session.end()
