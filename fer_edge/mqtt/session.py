"""One connection to the broker, from CONNECT to its end; the only module with a paho client.

Each session has a new paho client: paho's own store of unacknowledged messages would send them twice, and its network
thread ends silently when a callback raises. The owner of the session serves the socket, callbacks only record, and
errors are raised to the owner.
"""

import contextlib
import logging
import select
import struct
import time
from collections.abc import Callable, Iterator

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.capabilities import ALL, FEATURES, Abilities
from fer_edge.mqtt.connect import Version
from fer_edge.mqtt.credentials import Credentials
from fer_edge.mqtt.diagnostics import BrokerAddress, BrokerError
from fer_edge.mqtt.outbox import InFlight, Wakeup
from fer_edge.mqtt.requests import ReceivedMessage, Subscription
from fer_edge.terminal import printable
from fer_edge.types import Message

PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
FAILED = 0x80  # "unspecified error", MQTT 5.0 section 2.4: for a code that is a failure and not a known one
MAX_TOPIC_SHOWN = 100  # characters
# Beside MalformedPacket (an MQTTException) paho 2.1 raises these, also for a topic that is not UTF-8.
_PARSE_ERRORS = (MQTTException, ValueError, LookupError, struct.error)
_NAMES = {kind.value: kind.name for kind in MessageType}
_ACKNOWLEDGEMENTS = (MessageType.PUBACK, MessageType.PUBREC, MessageType.PUBREL, MessageType.PUBCOMP)
# Messages in flight, in either direction: mosquitto's default. A broker may announce a lower Receive Maximum.
MAX_IN_FLIGHT = 20
# Bytes of one incoming packet, ten times what a request needs. Announced to the broker in MQTT 5; in both versions the
# link ends at a length beyond it. Without a limit a packet may have 256 MB.
MAX_PACKET_BYTES = 16384
# A link is closed if an acknowledgement is missing for this number of keepalive intervals.
LATE_KEEPALIVES = 2
WILDCARDS_NOT_SUPPORTED = 0xA2  # MQTT 5 reason code
MAX_DROPPED_LINES = 10  # lines about malformed packets, kept until `dropped` is called


class PacketTooLarge(Exception):  # noqa: N818  MQTT's term
    """An incoming packet exceeds the size limit; the link has to end."""


class TolerantClient(Client):
    """paho's client with two rules for incoming packets.

    A packet of more than ``max_packet_bytes`` raises PacketTooLarge at its announced length, before its content is read
    (paho reads up to 256 MB). A packet that cannot be parsed is dropped, its message acknowledged if it has a readable
    identifier, and ``on_dropped`` receives one line about it. Callbacks may only record: a ValueError or LookupError of
    theirs counts as a malformed packet.
    """

    max_packet_bytes: int
    on_dropped: Callable[[str], None]

    def ping(self) -> None:
        """Send PINGREQ."""
        self._send_pingreq()

    def is_ping_pending(self) -> bool:
        """Return whether PINGREQ was sent and PINGRESP was not received yet."""
        return self._ping_t > 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._in_packet["remaining_length"] > self.max_packet_bytes:
            raise PacketTooLarge
        return super()._sock_recv(bufsize)

    def _packet_handle(self) -> MQTTErrorCode:
        try:
            code, reason = super()._packet_handle(), "an unexpected packet"
        except _PARSE_ERRORS as error:
            code, reason = MQTTErrorCode.MQTT_ERR_PROTOCOL, str(error) or type(error).__name__
        if code != MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return code
        return self._drop(reason)

    def _drop(self, reason: str) -> MQTTErrorCode:
        """Drop a malformed packet, acknowledge what it carries and keep the link; before CONNACK the link ends."""
        kind, packet = self._in_packet["command"] & 0xF0, bytes(self._in_packet["packet"])
        about = f"a malformed {_NAMES.get(kind, f'packet of type {kind >> 4}')} ({printable(reason)})"
        if kind == MessageType.PUBLISH and self.is_connected():
            topic, identifier = _head_of_publish(packet)
            self.on_dropped(f"{about} on {topic!r}" if topic else about)
            qos = (self._in_packet["command"] >> 1) & 3
            if identifier is None or qos not in (1, 2):
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            return self._send_puback(identifier) if qos == 1 else self._send_pubrec(identifier)
        if not self.is_connected():
            if kind == MessageType.CONNACK:
                self.on_dropped(about)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.on_dropped(about)
        for mended in _mended(kind, packet, with_properties=self._protocol == MQTTProtocolVersion.MQTTv5):
            self._in_packet["packet"] = bytearray(mended)
            try:
                return super()._packet_handle()
            except _PARSE_ERRORS:
                continue
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def make_client(
    broker: BrokerAddress,
    credentials: Credentials,
    version: Version,
    max_packet_bytes: int,
    on_dropped: Callable[[str], None],
) -> TolerantClient:
    """Make a client for one link; the caller serves its socket, and it never reconnects by itself."""
    client = TolerantClient(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=None if version == "5" else True,
        protocol=PROTOCOLS[version],
        transport="websockets" if broker.websocket_path else "tcp",
        reconnect_on_failure=False,  # also keeps paho from trying MQTT 3.1 by itself
    )
    client.max_packet_bytes, client.on_dropped = max_packet_bytes, on_dropped
    if broker.websocket_path:
        client.ws_set_options(broker.websocket_path, headers={"Host": str(broker)})  # paho leaves out IPv6's brackets
    if credentials.username:
        client.username_pw_set(credentials.username, credentials.password)
    if credentials.tls is not None:
        client.tls_set_context(credentials.tls)
    return client


def _head_of_publish(packet: bytes) -> tuple[str, int | None]:
    """Return the topic, truncated, and the packet identifier; MQTT 5.0 section 3.3.2."""
    end = 2 + int.from_bytes(packet[:2])
    topic = packet[2:end].decode(errors="replace")[:MAX_TOPIC_SHOWN]
    identifier = packet[end : end + 2]
    return topic, int.from_bytes(identifier) if len(identifier) == 2 and any(identifier) else None  # noqa: PLR2004


def _mended(kind: int, packet: bytes, *, with_properties: bool) -> Iterator[bytes]:
    """Yield repaired forms of a packet: first without its properties, then with known codes only."""
    if kind in _ACKNOWLEDGEMENTS and len(packet) >= 2:  # noqa: PLR2004
        if with_properties:
            yield packet[:3]
            yield packet[:2] + _known(packet[2:3])
        yield packet[:2]
    elif kind == MessageType.SUBACK and len(packet) >= 2:  # noqa: PLR2004
        codes = packet[2:]
        if with_properties:
            codes = _after_properties(codes)
            yield packet[:2] + b"\0" + codes
        yield packet[:2] + (b"\0" if with_properties else b"") + _known(codes)
    elif kind == MessageType.DISCONNECT:
        yield packet[:1]
        yield _known(packet[:1])


def _known(codes: bytes) -> bytes:
    """Replace each code by a success or failure code that is valid in every packet."""
    return bytes(FAILED if code >= FAILED else 0 for code in codes)


def _after_properties(packet: bytes) -> bytes:
    """Return the bytes after a property section, of which only the length is read; MQTT 5.0 section 2.2.2."""
    length = 0
    for place in range(min(4, len(packet))):
        length |= (packet[place] & 0x7F) << 7 * place
        if not packet[place] & 0x80:
            return packet[place + 1 + length :]
    return b""


def connect_properties() -> Properties:
    """Return the CONNECT properties: limits for the broker."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    properties.ReceiveMaximum = MAX_IN_FLIGHT
    return properties


def publish_size(message: Message, properties: Properties | None) -> int:
    """Return the size in bytes of a PUBLISH packet (MQTT 5.0 section 3.3), which Maximum Packet Size limits."""
    properties_size = 1 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    identifier_size = 2 if message.qos else 0
    rest = 2 + len(message.topic.encode()) + identifier_size + properties_size + len(message.payload)
    length_size = 1 + (rest >= 2**7) + (rest >= 2**14) + (rest >= 2**21)  # seven bits a byte
    return 1 + length_size + rest


class PublishProperties:
    """PUBLISH properties. The last expiry is cached: paho is slow, and most messages have the same."""

    def __init__(self) -> None:
        self._expiry: tuple[int, Properties] | None = None

    def of(self, message: Message) -> Properties | None:
        """Return the properties of a message; None if it has neither expiry nor correlation data."""
        if message.correlation is not None:
            properties = _properties(message.expiry_s)
            properties.CorrelationData = message.correlation
            return properties
        if message.expiry_s is None:
            return None
        if self._expiry is None or self._expiry[0] != message.expiry_s:
            self._expiry = (message.expiry_s, _Packed(message.expiry_s))
        return self._expiry[1]


class _Packed(Properties):
    """Expiry property, packed once: paho tries all properties for each message, a sixth of the link's CPU time."""

    _bytes: bytes

    def __init__(self, expiry_s: int) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        self.MessageExpiryInterval = expiry_s
        object.__setattr__(self, "_bytes", super().pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        return self._bytes


def _properties(expiry_s: int | None) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    return properties


class Answer(msgspec.Struct, frozen=True):
    """Acknowledgement of one QoS 1 message or one subscription."""

    key: int | None  # of the message in flight
    topic: str
    code: int  # MQTT 5 reason code; 0 for each message in 3.1.1; set here for a message that was not sent
    name: str  # of the code; empty for an accepted message
    subscription: bool = False


class _Sent(msgspec.Struct, frozen=True):
    in_flight: InFlight
    at: float


class Session:
    """One MQTT session. Not thread-safe: one thread opens, serves and ends it."""

    def __init__(  # noqa: PLR0913  keyword arguments
        self,
        broker: BrokerAddress,
        credentials: Credentials,
        version: Version,
        keepalive_s: int,
        *,
        will: Message | None,
        abilities: Abilities = ALL,
    ) -> None:
        self.version = version
        self.abilities = abilities
        """Broker features in use; after `open` without those that CONNACK excludes."""
        self.acknowledged = 0
        """Number of QoS 1 messages that the broker has answered."""
        self._broker = broker
        self._keepalive_s = keepalive_s
        self._max_in_flight = MAX_IN_FLIGHT
        self._max_packet_bytes: int | None = None  # the broker's limit; None: no limit announced
        self._sent: dict[int, _Sent] = {}  # by message id, oldest first
        self._answers: list[Answer] = []
        self._subscription: Subscription | None = None
        self._subscribe_mid: int | None = None
        self._wildcards = True
        self._received: list[ReceivedMessage] = []
        self._dropped: list[str] = []
        self._publish_properties = PublishProperties()
        self._connack: ReasonCode | None = None
        self._disconnect: tuple[bool, ReasonCode] | None = None  # whether the broker sent DISCONNECT, and its reason
        self._socket_error = ""
        self._client = self._make_client(credentials, will)

    @property
    def room(self) -> int:
        """Number of further messages that may be sent now."""
        if not self.abilities.qos and self._client.want_write():
            return 0  # without acknowledgements the socket's buffer is the only limit
        return max(0, self._max_in_flight - len(self._sent))

    def open(self, connect_s: float, answer_s: float) -> None:
        """Connect within ``connect_s`` for each address of the broker, and wait ``answer_s`` for CONNACK.

        Raises:
            BrokerError: no connection.
        """
        self._client.connect_timeout = connect_s
        properties = connect_properties() if self.version == "5" else None
        try:
            self._client.connect(self._broker.host, self._broker.port, self._keepalive_s, properties=properties)
        except (OSError, ValueError, LookupError) as error:  # ValueError: an invalid host name; paho's handshake
            raise BrokerError(diagnostics.unreachable(error, self._broker)) from error
        deadline = time.monotonic() + answer_s
        while self._connack is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                self.abandon()
                raise BrokerError(diagnostics.unanswered(self._broker, self.version), silent=True)
            self.serve(left_s)

    def subscribe(self, subscription: Subscription) -> None:
        """Subscribe; messages are passed on while the session is served. A rejection is reported as an answer."""
        filters = tuple(one for one in subscription.filters if self._wildcards or not set(one) & set("+#"))
        for one in set(subscription.filters) - set(filters):
            name = "Wildcard subscription not supported"
            self._answers.append(Answer(None, one, WILDCARDS_NOT_SUPPORTED, name, subscription=True))
        self._subscription = Subscription(filters, subscription.receive)
        if not filters:
            return
        if self.version == "5":
            # Messages keep their retain flag, also those that are published during the subscription.
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            code, self._subscribe_mid = self._client.subscribe([(one, options) for one in filters])
        else:
            code, self._subscribe_mid = self._client.subscribe([(one, 1) for one in filters])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ending()

    def send(self, in_flight: InFlight) -> None:
        """Send one message with the QoS and retain that the broker supports.

        A QoS 1 message is answered later, as is one that is too large for the broker. If the broker does not support
        QoS 1, the message is answered as if it were acknowledged.
        """
        message = self.abilities.fitted(in_flight.message)
        properties = self._publish_properties.of(message) if self.version == "5" else None
        if self._max_packet_bytes is not None and (size := publish_size(message, properties)) > self._max_packet_bytes:
            # The broker would end this link and each following one (MQTT 5.0, 3.2.2.3.6).
            name = f"Packet too large: {size} bytes, limit {self._max_packet_bytes}"
            self._answers.append(Answer(in_flight.key, message.topic, diagnostics.PACKET_TOO_LARGE, name))
            return
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ending()
        if message.qos:
            self._sent[info.mid] = _Sent(in_flight, time.monotonic())
        elif in_flight.message.qos:
            self._answers.append(Answer(in_flight.key, message.topic, 0, ""))

    def serve(self, timeout_s: float, wakeup: Wakeup | None = None) -> list[Answer]:
        """Wait for the network or for ``wakeup``, then read and write.

        Returns:
            The broker's answers.

        Raises:
            BrokerError: the link has ended, or an acknowledgement is overdue.
        """
        socket = self._client.socket()
        if socket is None:
            raise self._ending()
        unread = getattr(socket, "pending", int)()  # bytes that TLS has decrypted already; select cannot see them
        waiting = [socket] if wakeup is None else [socket, wakeup]
        readable, writable, _ = select.select(
            waiting,
            [socket] if self._client.want_write() else [],
            [],
            0.0 if unread or self._answers else timeout_s,
        )
        if wakeup is not None and wakeup in readable:
            wakeup.clear()
        if unread or socket in readable:
            self._read()
        if socket in writable:
            self._client.loop_write()
        self._client.loop_misc()
        self._pass_on()
        answers, self._answers = self._answers, []
        if not answers:  # answers count even if the link has ended since; the next call raises
            self._raise_if_over()
        return answers

    def wait_for_ping(self, timeout_s: float) -> None:
        """Send PINGREQ and serve until the broker has answered it and every message before it.

        Raises:
            BrokerError: the link ended, or ``timeout_s`` has passed.
        """
        self._client.ping()
        deadline = time.monotonic() + timeout_s
        while self._sent or self._client.is_ping_pending():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise BrokerError(diagnostics.gone_silent(self._broker))
            self.serve(left_s)

    def dropped(self) -> list[str]:
        """Return a line for each packet that could not be parsed since the last call."""
        lines, self._dropped = self._dropped, []
        return lines

    def end(self) -> None:
        """Send DISCONNECT, so that the broker discards the will, and close."""
        self._client.disconnect()
        self.abandon()

    def abandon(self) -> None:
        """Close the socket without DISCONNECT, so that the broker publishes the will."""
        socket = self._client.socket()
        if socket is not None:
            with contextlib.suppress(OSError):
                socket.close()

    def _read(self) -> None:
        try:
            self._client.loop_read()
        except PacketTooLarge as error:
            self.abandon()
            raise BrokerError(diagnostics.too_large(MAX_PACKET_BYTES, self._broker), too_large=True) from error

    def _pass_on(self) -> None:
        """Pass on received messages; outside of paho's callbacks, where an error counts as a malformed packet."""
        received, self._received = self._received, []
        for one in received:
            if self._subscription is not None:
                self._subscription.receive(one)

    def _raise_if_over(self) -> None:
        if self._client.socket() is None:
            raise self._ending()
        oldest = next(iter(self._sent.values()), None)
        if oldest and time.monotonic() - oldest.at > LATE_KEEPALIVES * self._keepalive_s:
            raise BrokerError(diagnostics.gone_silent(self._broker))

    def _ending(self) -> BrokerError:
        """Return the error that describes why the link ended."""
        broker = self._broker
        # MQTT 5 names what the broker does not support.
        is_unexplained = self.version == "3.1.1" and not self.acknowledged
        if self._connack is not None and self._connack.is_failure:
            code, name = self._connack.value, str(self._connack)
            version = code == diagnostics.UNSUPPORTED_PROTOCOL
            return BrokerError(diagnostics.refused(code, name, broker), version=version, lacks=FEATURES.get(code))
        by_broker, reason = self._disconnect or (False, None)
        if by_broker and reason is not None:
            return BrokerError(diagnostics.ended(reason.value, str(reason), broker), lacks=FEATURES.get(reason.value))
        if self._connack is None and self._dropped:
            return BrokerError(diagnostics.malformed(self._dropped[0], broker), version=True)
        if self._connack is None and "ALERT" not in self._socket_error:
            return BrokerError(diagnostics.unanswered(broker, self.version), silent=True, hung_up=is_unexplained)
        if reason is not None and reason.value == diagnostics.KEEPALIVE_TIMEOUT:
            return BrokerError(diagnostics.gone_silent(broker))
        return BrokerError(diagnostics.broken_off(self._socket_error, broker), hung_up=is_unexplained)

    def _make_client(self, credentials: Credentials, will: Message | None) -> TolerantClient:
        client = make_client(self._broker, credentials, self.version, MAX_PACKET_BYTES, self._note_dropped)
        if will is not None:
            will = self.abilities.fitted(will)
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.enable_logger(_errors_to(self._note_error))
        return client

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connack = reason
        most = getattr(properties, "ReceiveMaximum", MAX_IN_FLIGHT)
        self._max_in_flight = min(MAX_IN_FLIGHT, most)
        self._max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self._wildcards = bool(getattr(properties, "WildcardSubscriptionAvailable", 1))
        if not getattr(properties, "RetainAvailable", 1):
            self.abilities = self.abilities.without("retain")
        if not getattr(properties, "MaximumQoS", 1):
            self.abilities = self.abilities.without("qos")

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _more: Properties | None
    ) -> None:
        sent = self._sent.pop(mid, None)
        if sent is not None:
            self.acknowledged += 1
            name = str(reason) if reason.is_failure else ""  # paho looks the name up each time
            self._answers.append(Answer(sent.in_flight.key, sent.in_flight.message.topic, reason.value, name))

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        if mid != self._subscribe_mid:
            return
        self._subscribe_mid = None  # once
        filters = self._subscription.filters if self._subscription else ()
        for one, reason in zip(filters, reasons, strict=False):
            self._answers.append(Answer(None, one, reason.value, str(reason), subscription=True))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        properties = message.properties
        received = ReceivedMessage(
            message.topic,
            bytes(message.payload),
            message.retain,
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        self._received.append(received)

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if self._disconnect is None:
            self._disconnect = (flags.is_disconnect_packet_from_server, reason)

    def _note_dropped(self, line: str) -> None:
        if len(self._dropped) < MAX_DROPPED_LINES:
            self._dropped.append(line)

    def _note_error(self, text: str) -> None:
        # paho catches the socket's exception; its log record is the only way to read it.
        self._socket_error = text.partition(": ")[2] or text


class _Errors(logging.Handler):
    """Log handler that records paho's errors."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.getMessage())


def _errors_to(note: Callable[[str], None]) -> logging.Logger:
    """Return a logger for paho's errors; `on_log` would format a line for each packet, a tenth of its CPU time."""
    logger = logging.Logger("paho", logging.ERROR)  # noqa: LOG001  one per session, outside of the hierarchy
    logger.addHandler(_Errors(note))
    return logger
