"""A listener like any user's: everything on some topics, for as long as it is asked, through broken links.

In MQTT 5 its session outlives a broken link, so the broker keeps what it misses, unless the broker itself forgets; in
3.1.1 it does not, for such a session would stay with the broker for ever. paho's socket is served by the caller's
thread, callbacks only take notes.
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
ANSWER_S = 3.0  # a broker that knows no MQTT 5 may never answer it
RETRY_S = 1.0
KEPT_S = 3600  # how long the broker keeps what a broken link misses
STEP_S = 0.1  # longest wait in one look at the network
KEEPALIVE_S = 10
LARGEST_PACKET = 1 << 20  # bytes; an event has some 600
NOTES_KEPT = 10  # lines about malformed packets, until somebody takes them


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message that arrived."""

    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None  # what was left of it when the broker sent it; MQTT 5 only


class Subscriber:
    """Listens to ``topics``. Not thread-safe; `with` opens and closes it.

    Raises:
        SettingsError: a password or certificate file cannot be used.
        Trouble: on entering: the broker cannot be reached, or refuses; one line that says what to do.
    """

    def __init__(self, settings: MqttSettings, device: str, topics: Sequence[str]) -> None:
        self._settings = settings
        broker = broker_of(settings, device)
        # A name of its own each time: two who listen must not throw each other out, nor the daemon.
        self._broker = replace(broker, client_id=f"{broker.client_id}-events-{secrets.token_hex(4)}")
        self._topics = topics
        self._credentials = load_credentials(settings)
        self._version: Version | None = None
        self._greeting: ReasonCode | None = None
        self._subscribed: list[ReasonCode] = []  # what the broker said to each topic
        self._heard: list[ReceivedMessage] = []
        self._dropped: list[str] = []
        self._client: Client | None = None

    def __enter__(self) -> Self:
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.disconnect(properties=_session(PacketTypes.DISCONNECT, 0) if self._version == "5" else None)
            self._client = None

    def listen(self, timeout_s: float) -> Iterator[ReceivedMessage]:
        """What has arrived, after a wait of at most ``timeout_s`` for it.

        Raises:
            Trouble: the link has ended; `again` makes a new one.
        """
        if not self._heard:
            self._serve(min(timeout_s, STEP_S))
        heard, self._heard = self._heard, []
        yield from heard

    def dropped(self) -> list[str]:
        """Return a line for each packet that could not be parsed since the last call."""
        lines, self._dropped = self._dropped, []
        return [f"{self._broker} sends {line}: dropped" for line in lines]

    def again(self) -> bool:
        """Whether a new link came about, after a short wait; to be called until it is so."""
        time.sleep(RETRY_S)
        try:
            self._connect()
        except BrokerError:
            return False
        return True

    def _connect(self) -> None:
        """Connects and subscribes, in the first MQTT version that the broker answers."""
        versions = [self._version] if self._version else Versions(self._settings.protocol).order(0.0)
        for number, version in enumerate(versions, 1):
            try:
                self._open(version)
            except BrokerError as why:
                if number == len(versions) or not (why.silent or why.version):
                    raise
            else:
                self._version = version
                return

    def _open(self, version: Version) -> None:
        client = self._make(version)
        try:
            if version == "5":
                session = _session(PacketTypes.CONNECT, KEPT_S)
                client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, clean_start=False, properties=session)
            else:
                client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except (OSError, ValueError, LookupError) as error:
            raise BrokerError(diagnostics.unreachable(error, self._broker)) from error
        self._client, self._greeting = client, None
        self._subscribed.clear()
        deadline = time.monotonic() + ANSWER_S
        while not self._subscribed:
            if time.monotonic() > deadline:
                raise BrokerError(diagnostics.unanswered(self._broker, version), silent=True)
            self._serve(STEP_S)
        refused = [code for code in self._subscribed if code.is_failure]
        if refused:
            what = f"allow user {self._settings.username!r} to read {', '.join(self._topics)}"
            raise BrokerError(f"{self._broker} refuses the subscription ({refused[0]}): {what}")

    def _serve(self, timeout_s: float) -> None:
        assert self._client is not None
        try:
            code = self._client.loop(timeout_s)
        except PacketTooLarge as error:
            self._client.disconnect()
            raise BrokerError(diagnostics.too_large(LARGEST_PACKET, self._broker), too_large=True) from error
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS and not self._heard:
            raise self._ending()

    def _ending(self) -> BrokerError:
        if self._greeting is not None and self._greeting.is_failure:
            code, name = self._greeting.value, str(self._greeting)
            return BrokerError(
                diagnostics.refused(code, name, self._broker), version=code == diagnostics.UNSUPPORTED_PROTOCOL
            )
        if self._greeting is None:
            if self._dropped:
                return BrokerError(diagnostics.malformed(self._dropped.pop(), self._broker), version=True)
            return BrokerError(diagnostics.unanswered(self._broker, self._version or "5"), silent=True)
        return BrokerError(diagnostics.broken_off("", self._broker))

    def _make(self, version: Version) -> Client:
        client = make_client(self._broker, self._credentials, version, LARGEST_PACKET, self._note_dropped)
        client.connect_timeout = CONNECT_S
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._greeting = reason
        if not reason.is_failure:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        self._subscribed.extend(reasons)

    def _note_dropped(self, line: str) -> None:
        if len(self._dropped) < NOTES_KEPT:
            self._dropped.append(line)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        self._heard.append(ReceivedMessage(message.topic, bytes(message.payload), message.retain, expiry_s))


def _session(packet: int, kept_s: int) -> Properties:
    """Asks the broker to keep the session for so long after the link."""
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = kept_s
    if packet == PacketTypes.CONNECT:
        properties.MaximumPacketSize = LARGEST_PACKET
    return properties
