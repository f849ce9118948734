"""MQTT subscriber with reconnect, for `fer-edge events`.

In MQTT 5 its session survives a broken link, so the broker keeps what it misses, unless the broker is restarted. In
3.1.1 the session is clean: a persistent one would stay on the broker without an expiry. The caller's thread serves
paho's socket, callbacks only record.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from msgspec.structs import replace
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.connect import Version, Versions, broker_of
from fer_edge.mqtt.credentials import load_credentials
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.mqtt.session import PacketTooLarge, make_client

CONNECT_S = 5.0
ANSWER_S = 3.0  # a broker without MQTT 5 may never answer
RETRY_S = 1.0
SESSION_EXPIRY_S = 3600  # the broker keeps messages for this time after a broken link
MAX_WAIT_S = 0.1  # for the network, in one call
KEEPALIVE_S = 10
MAX_PACKET_BYTES = 1 << 20  # bytes; an event has some 600
MAX_DROPPED_LINES = 10  # lines about malformed packets, kept until `dropped` is called


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One received message."""

    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None  # remaining expiry when the broker sent it; MQTT 5 only


class Subscriber:
    """Subscription to ``topics``. Not thread-safe; `with` opens and closes it.

    Raises:
        SettingsError: a password or certificate file cannot be used.
        BrokerError: on entering: the broker cannot be reached, or rejects it; one line with the cure.
    """

    def __init__(self, settings: MqttSettings, device: str, topics: Sequence[str]) -> None:
        self._settings = settings
        broker = broker_of(settings, device)
        # A unique client id: subscribers must not disconnect each other or the daemon.
        self._broker = replace(broker, client_id=f"{broker.client_id}-events-{secrets.token_hex(4)}")
        self._topics = topics
        self._credentials = load_credentials(settings)
        self._version: Version | None = None
        self._connack: ReasonCode | None = None
        self._subscribed: list[ReasonCode] = []  # reason code of each topic
        self._received: list[ReceivedMessage] = []
        self._dropped: list[str] = []
        self._client: Client | None = None

    def __enter__(self) -> Self:
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.disconnect(properties=_session(PacketTypes.DISCONNECT, 0) if self._version == "5" else None)
            self._client = None

    def receive(self, timeout_s: float) -> Iterator[ReceivedMessage]:
        """Yield what has arrived, after a wait of at most ``timeout_s``.

        Raises:
            BrokerError: the link has ended; `reconnect` makes a new one.
        """
        if not self._received:
            self._serve(min(timeout_s, MAX_WAIT_S))
        received, self._received = self._received, []
        yield from received

    def dropped(self) -> list[str]:
        """Return a line for each packet that could not be parsed since the last call."""
        lines, self._dropped = self._dropped, []
        return [f"{self._broker} sent {line}: dropped" for line in lines]

    def reconnect(self) -> bool:
        """Wait shortly and connect again; return whether that succeeded."""
        time.sleep(RETRY_S)
        try:
            self._connect()
        except BrokerError:
            return False
        return True

    def _connect(self) -> None:
        """Connect and subscribe in the first MQTT version that the broker answers."""
        versions = [self._version] if self._version else Versions(self._settings.protocol).order(0.0)
        for number, version in enumerate(versions, 1):
            try:
                self._open(version)
            except BrokerError as error:
                if number == len(versions) or not (error.silent or error.version):
                    raise
            else:
                self._version = version
                return

    def _open(self, version: Version) -> None:
        client = self._make(version)
        try:
            if version == "5":
                session = _session(PacketTypes.CONNECT, SESSION_EXPIRY_S)
                client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, clean_start=False, properties=session)
            else:
                client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except (OSError, ValueError, LookupError) as error:
            raise BrokerError(diagnostics.unreachable(error, self._broker)) from error
        self._client, self._connack = client, None
        self._subscribed.clear()
        deadline = time.monotonic() + ANSWER_S
        while not self._subscribed:
            if time.monotonic() > deadline:
                raise BrokerError(diagnostics.unanswered(self._broker, version), silent=True)
            self._serve(MAX_WAIT_S)
        refused = [code for code in self._subscribed if code.is_failure]
        if refused:
            cure = f"allow user {self._settings.username!r} to read {', '.join(self._topics)}"
            raise BrokerError(f"{self._broker} rejects the subscription ({refused[0]}): {cure}")

    def _serve(self, timeout_s: float) -> None:
        assert self._client is not None
        try:
            code = self._client.loop(timeout_s)
        except PacketTooLarge as error:
            self._client.disconnect()
            raise BrokerError(diagnostics.too_large(MAX_PACKET_BYTES, self._broker), too_large=True) from error
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS and not self._received:
            raise self._ending()

    def _ending(self) -> BrokerError:
        if self._connack is not None and self._connack.is_failure:
            code, name = self._connack.value, str(self._connack)
            return BrokerError(
                diagnostics.refused(code, name, self._broker), version=code == diagnostics.UNSUPPORTED_PROTOCOL
            )
        if self._connack is None:
            if self._dropped:
                return BrokerError(diagnostics.malformed(self._dropped.pop(), self._broker), version=True)
            return BrokerError(diagnostics.unanswered(self._broker, self._version or "5"), silent=True)
        return BrokerError(diagnostics.broken_off("", self._broker))

    def _make(self, version: Version) -> Client:
        client = make_client(self._broker, self._credentials, version, MAX_PACKET_BYTES, self._note_dropped)
        client.connect_timeout = CONNECT_S
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._connack = reason
        if not reason.is_failure:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        self._subscribed.extend(reasons)

    def _note_dropped(self, line: str) -> None:
        if len(self._dropped) < MAX_DROPPED_LINES:
            self._dropped.append(line)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        self._received.append(ReceivedMessage(message.topic, bytes(message.payload), message.retain, expiry_s))


def _session(packet: int, expiry_s: int) -> Properties:
    """Return properties with a session expiry in seconds."""
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = expiry_s
    if packet == PacketTypes.CONNECT:
        properties.MaximumPacketSize = MAX_PACKET_BYTES
    return properties
