"""One connection to the broker, from CONNECT to its end; paho is known here alone.

A new paho client is made for each: its own memory of unacknowledged messages would send things twice, and its own
thread dies without a word when a callback raises. Here its socket is served by whoever owns the session, callbacks
only take notes, and whatever goes wrong is raised where the session is used.
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
LONGEST_TOPIC_SHOWN = 100  # characters
# Beside its MalformedPacket (an MQTTException) paho 2.1 raises these, and so does reading a topic that is no UTF-8.
_PARSE_ERRORS = (MQTTException, ValueError, LookupError, struct.error)
_NAMES = {kind.value: kind.name for kind in MessageType}
_ACKNOWLEDGEMENTS = (MessageType.PUBACK, MessageType.PUBREC, MessageType.PUBREL, MessageType.PUBCOMP)
# Messages on their way at once, in either direction. mosquitto's own default; a broker that wants fewer says so.
MOST_IN_FLIGHT = 20
# Bytes of one packet to us, ten times what a request needs. In MQTT 5 the broker is asked to keep to it; in both
# versions the link ends at a length beyond it. Without a limit anybody may send 256 MB.
LARGEST_PACKET = 16384
# Keepalives without an acknowledgement, while something waits for one, after which a link is given up.
LATE_KEEPALIVES = 2
WILDCARDS_NOT_SUPPORTED = 0xA2  # MQTT 5 reason code
NOTES_KEPT = 10  # lines about malformed packets, until somebody takes them


class PacketTooLarge(Exception):  # noqa: N818 - MQTT's own word
    """The packet that arrives announces more bytes than are read; the link has to end."""


class TolerantClient(Client):
    """paho's client with two rules for what arrives.

    A packet of more than ``largest`` bytes raises PacketTooLarge at its announced length, before its content is read
    (paho reads 256 MB in either version). A packet that cannot be parsed is dropped, its message acknowledged where it
    has a readable identifier, and ``dropped`` gets one line about it. Callbacks may only take notes: a ValueError or
    LookupError of theirs counts as malformed.
    """

    largest: int
    dropped: Callable[[str], None]

    def ping(self) -> None:
        """Send PINGREQ."""
        self._send_pingreq()

    def is_ping_pending(self) -> bool:
        """Return whether PINGREQ was sent and PINGRESP was not received yet."""
        return self._ping_t > 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._in_packet["remaining_length"] > self.largest:
            raise PacketTooLarge
        return super()._sock_recv(bufsize)

    def _packet_handle(self) -> MQTTErrorCode:
        try:
            code, why = super()._packet_handle(), "a packet that is not expected"
        except _PARSE_ERRORS as error:
            code, why = MQTTErrorCode.MQTT_ERR_PROTOCOL, str(error) or type(error).__name__
        if code != MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return code
        return self._drop(why)

    def _drop(self, why: str) -> MQTTErrorCode:
        """Do of a malformed packet what can be done, and keep the link; without a CONNACK there is none yet."""
        kind, packet = self._in_packet["command"] & 0xF0, bytes(self._in_packet["packet"])
        about = f"a malformed {_NAMES.get(kind, f'packet of type {kind >> 4}')} ({printable(why)})"
        if kind == MessageType.PUBLISH and self.is_connected():
            topic, identifier = _head_of_publish(packet)
            self.dropped(f"{about} on {topic!r}" if topic else about)
            qos = (self._in_packet["command"] >> 1) & 3
            if identifier is None or qos not in (1, 2):
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            return self._send_puback(identifier) if qos == 1 else self._send_pubrec(identifier)
        if not self.is_connected():
            if kind == MessageType.CONNACK:
                self.dropped(about)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.dropped(about)
        for mended in _mended(kind, packet, with_properties=self._protocol == MQTTProtocolVersion.MQTTv5):
            self._in_packet["packet"] = bytearray(mended)
            try:
                return super()._packet_handle()
            except _PARSE_ERRORS:
                continue
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def make_client(
    broker: BrokerAddress, credentials: Credentials, version: Version, largest: int, dropped: Callable[[str], None]
) -> TolerantClient:
    """One for one link: its socket is served by whoever makes it, and it never connects again by itself."""
    client = TolerantClient(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=None if version == "5" else True,
        protocol=PROTOCOLS[version],
        transport="websockets" if broker.websocket_path else "tcp",
        reconnect_on_failure=False,  # also keeps paho from trying MQTT 3.1 by itself
    )
    client.largest, client.dropped = largest, dropped
    if broker.websocket_path:
        client.ws_set_options(broker.websocket_path, headers={"Host": str(broker)})  # paho leaves out IPv6's brackets
    if credentials.username:
        client.username_pw_set(credentials.username, credentials.password)
    if credentials.tls is not None:
        client.tls_set_context(credentials.tls)
    return client


def _head_of_publish(packet: bytes) -> tuple[str, int | None]:
    """Return the topic as far as it can be shown, and the packet identifier; MQTT 5.0 section 3.3.2."""
    end = 2 + int.from_bytes(packet[:2])
    topic = packet[2:end].decode(errors="replace")[:LONGEST_TOPIC_SHOWN]
    identifier = packet[end : end + 2]
    return topic, int.from_bytes(identifier) if len(identifier) == 2 and any(identifier) else None  # noqa: PLR2004


def _mended(kind: int, packet: bytes, *, with_properties: bool) -> Iterator[bytes]:
    """Give the packet without what is seldom right in it: properties first, then codes that nobody knows."""
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
    """Give each code as one of success or of failure that every packet with codes knows."""
    return bytes(FAILED if code >= FAILED else 0 for code in codes)


def _after_properties(packet: bytes) -> bytes:
    """Return what follows a property section, of which the length alone is read; MQTT 5.0 section 2.2.2."""
    length = 0
    for place in range(min(4, len(packet))):
        length |= (packet[place] & 0x7F) << 7 * place
        if not packet[place] & 0x80:
            return packet[place + 1 + length :]
    return b""


def connect_properties() -> Properties:
    """What we ask of the broker before it sends us anything."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = LARGEST_PACKET
    properties.ReceiveMaximum = MOST_IN_FLIGHT
    return properties


def publish_size(message: Message, properties: Properties | None) -> int:
    """Bytes of the packet that carries ``message`` (MQTT 5.0 section 3.3), which Maximum Packet Size limits."""
    properties_size = 1 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    identifier_size = 2 if message.qos else 0
    rest = 2 + len(message.topic.encode()) + identifier_size + properties_size + len(message.payload)
    length_size = 1 + (rest >= 2**7) + (rest >= 2**14) + (rest >= 2**21)  # seven bits a byte
    return 1 + length_size + rest


class PublishProperties:
    """Makes those of messages; the last expiry is kept, for paho takes long to make one and most are alike."""

    def __init__(self) -> None:
        self._expiry: tuple[int, Properties] | None = None

    def of(self, message: Message) -> Properties | None:
        """Expiry and correlation; None where the message has neither."""
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
    """An expiry alone, as bytes once: for each message paho tries all properties there are, a sixth of our work."""

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
    """What the broker said to one message of QoS 1, or to one subscription."""

    key: int | None  # the parcel's
    topic: str
    code: int  # MQTT 5 reason code; always 0 in 3.1.1, which has no way to refuse; ours where we know that it refuses
    name: str  # empty for a message that was taken
    subscription: bool = False


class _Sent(msgspec.Struct, frozen=True):
    parcel: InFlight
    at: float


class Session:
    """Not thread-safe; one thread opens it, serves it and ends it."""

    def __init__(  # noqa: PLR0913 - what a connection is opened with, by name
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
        """What is used of the broker's features; after `open` without what its CONNACK excludes."""
        self.acknowledged = 0
        """Messages of QoS 1 that the broker has answered."""
        self._broker = broker
        self._keepalive_s = keepalive_s
        self._most_in_flight = MOST_IN_FLIGHT
        self._largest: int | None = None  # bytes of a packet that the broker takes; None: it names no limit
        self._sent: dict[int, _Sent] = {}  # by message id, oldest first
        self._answers: list[Answer] = []
        self._listening: Subscription | None = None
        self._subscribe_mid: int | None = None
        self._wildcards = True
        self._heard: list[ReceivedMessage] = []
        self._dropped: list[str] = []
        self._publish_properties = PublishProperties()
        self._greeting: ReasonCode | None = None
        self._farewell: tuple[bool, ReasonCode] | None = None  # whether the broker said it, and why
        self._socket_error = ""
        self._client = self._make_client(credentials, will)

    @property
    def room(self) -> int:
        """How many more messages may be sent now."""
        if not self.abilities.qos and self._client.want_write():
            return 0  # nothing is acknowledged: the socket's own buffer is the only limit
        return max(0, self._most_in_flight - len(self._sent))

    def open(self, connect_s: float, answer_s: float) -> None:
        """Connects within ``connect_s`` for each address of the broker, and is greeted within ``answer_s``.

        Raises:
            Trouble: there is no link, and why.
        """
        self._client.connect_timeout = connect_s
        wishes = connect_properties() if self.version == "5" else None
        try:
            self._client.connect(self._broker.host, self._broker.port, self._keepalive_s, properties=wishes)
        except (OSError, ValueError, LookupError) as error:  # ValueError: a name that cannot be one; paho's handshake
            raise BrokerError(diagnostics.unreachable(error, self._broker)) from error
        deadline = time.monotonic() + answer_s
        while self._greeting is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                self.abandon()
                raise BrokerError(diagnostics.unanswered(self._broker, self.version), silent=True)
            self.serve(left_s)

    def listen(self, listening: Subscription) -> None:
        """Subscribe; what comes is handed over while the session is served. A refusal comes as an answer."""
        filters = tuple(one for one in listening.filters if self._wildcards or not set(one) & set("+#"))
        for one in set(listening.filters) - set(filters):
            name = "Wildcard subscription not supported"
            self._answers.append(Answer(None, one, WILDCARDS_NOT_SUPPORTED, name, subscription=True))
        self._listening = Subscription(filters, listening.hear)
        if not filters:
            return
        if self.version == "5":
            # Retained messages keep their mark, also those that are sent while we are here.
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            code, self._subscribe_mid = self._client.subscribe([(one, options) for one in filters])
        else:
            code, self._subscribe_mid = self._client.subscribe([(one, 1) for one in filters])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ending()

    def send(self, parcel: InFlight) -> None:
        """Send one message with the QoS and retain that the broker takes.

        A parcel with QoS 1 is answered later, as is one that is too large for the broker. Where the broker takes no
        QoS 1, the parcel is answered as if it were acknowledged.
        """
        message = self.abilities.fitted(parcel.message)
        properties = self._publish_properties.of(message) if self.version == "5" else None
        if self._largest is not None and (size := publish_size(message, properties)) > self._largest:
            # Sent, it would end the link (MQTT 5.0, 3.2.2.3.6), and the next one, and so on for ever.
            name = f"Packet too large: {size} bytes, it takes {self._largest}"
            self._answers.append(Answer(parcel.key, message.topic, diagnostics.PACKET_TOO_LARGE, name))
            return
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ending()
        if message.qos:
            self._sent[info.mid] = _Sent(parcel, time.monotonic())
        elif parcel.message.qos:
            self._answers.append(Answer(parcel.key, message.topic, 0, ""))

    def serve(self, timeout_s: float, bell: Wakeup | None = None) -> list[Answer]:
        """Waits for the network, or until ``bell`` is rung, then does what is to be done.

        Returns:
            What the broker answered.

        Raises:
            Trouble: the link has ended, or is as good as ended.
        """
        socket = self._client.socket()
        if socket is None:
            raise self._ending()
        unread = getattr(socket, "pending", int)()  # bytes that TLS has decrypted already; select cannot see them
        waiting = [socket] if bell is None else [socket, bell]
        readable, writable, _ = select.select(
            waiting,
            [socket] if self._client.want_write() else [],
            [],
            0.0 if unread or self._answers else timeout_s,
        )
        if bell is not None and bell in readable:
            bell.clear()
        if unread or socket in readable:
            self._read()
        if socket in writable:
            self._client.loop_write()
        self._client.loop_misc()
        self._hand_over()
        answers, self._answers = self._answers, []
        if not answers:  # what was answered counts, even if the link has ended since; the next call says so
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
        """Says goodbye: the broker keeps the last will to itself."""
        self._client.disconnect()
        self.abandon()

    def abandon(self) -> None:
        """Hangs up without a word: the broker speaks the last will."""
        socket = self._client.socket()
        if socket is not None:
            with contextlib.suppress(OSError):
                socket.close()

    def _read(self) -> None:
        try:
            self._client.loop_read()
        except PacketTooLarge as error:
            self.abandon()
            raise BrokerError(diagnostics.too_large(LARGEST_PACKET, self._broker), too_large=True) from error

    def _hand_over(self) -> None:
        """Pass on what was received; outside of paho's callbacks, which take an error for a malformed packet."""
        received, self._heard = self._heard, []
        for one in received:
            if self._listening is not None:
                self._listening.hear(one)

    def _raise_if_over(self) -> None:
        if self._client.socket() is None:
            raise self._ending()
        oldest = next(iter(self._sent.values()), None)
        if oldest and time.monotonic() - oldest.at > LATE_KEEPALIVES * self._keepalive_s:
            raise BrokerError(diagnostics.gone_silent(self._broker))

    def _ending(self) -> BrokerError:
        """Why the link is not there any more."""
        broker = self._broker
        # MQTT 5 names what the broker does not support.
        is_unexplained = self.version == "3.1.1" and not self.acknowledged
        if self._greeting is not None and self._greeting.is_failure:
            code, name = self._greeting.value, str(self._greeting)
            version = code == diagnostics.UNSUPPORTED_PROTOCOL
            return BrokerError(diagnostics.refused(code, name, broker), version=version, lacks=FEATURES.get(code))
        by_broker, reason = self._farewell or (False, None)
        if by_broker and reason is not None:
            return BrokerError(diagnostics.ended(reason.value, str(reason), broker), lacks=FEATURES.get(reason.value))
        if self._greeting is None and self._dropped:
            return BrokerError(diagnostics.malformed(self._dropped[0], broker), version=True)
        if self._greeting is None and "ALERT" not in self._socket_error:
            return BrokerError(diagnostics.unanswered(broker, self.version), silent=True, hung_up=is_unexplained)
        if reason is not None and reason.value == diagnostics.KEEPALIVE_TIMEOUT:
            return BrokerError(diagnostics.gone_silent(broker))
        return BrokerError(diagnostics.broken_off(self._socket_error, broker), hung_up=is_unexplained)

    def _make_client(self, credentials: Credentials, will: Message | None) -> TolerantClient:
        client = make_client(self._broker, credentials, self.version, LARGEST_PACKET, self._note_dropped)
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
        self._greeting = reason
        most = getattr(properties, "ReceiveMaximum", MOST_IN_FLIGHT)
        self._most_in_flight = min(MOST_IN_FLIGHT, most)
        self._largest = getattr(properties, "MaximumPacketSize", None)
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
            name = str(reason) if reason.is_failure else ""  # nobody reads it elsewhere, and paho searches it each time
            self._answers.append(Answer(sent.parcel.key, sent.parcel.message.topic, reason.value, name))

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        if mid != self._subscribe_mid:
            return
        self._subscribe_mid = None  # once
        filters = self._listening.filters if self._listening else ()
        for one, reason in zip(filters, reasons, strict=False):
            self._answers.append(Answer(None, one, reason.value, str(reason), subscription=True))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        properties = message.properties
        heard = ReceivedMessage(
            message.topic,
            bytes(message.payload),
            message.retain,
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        self._heard.append(heard)

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if self._farewell is None:
            self._farewell = (flags.is_disconnect_packet_from_server, reason)

    def _note_dropped(self, line: str) -> None:
        if len(self._dropped) < NOTES_KEPT:
            self._dropped.append(line)

    def _note_error(self, text: str) -> None:
        # The only way to learn what the socket said: paho catches the exception and keeps it.
        self._socket_error = text.partition(": ")[2] or text


class _Errors(logging.Handler):
    """Takes note of paho's errors."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.getMessage())


def _errors_to(note: Callable[[str], None]) -> logging.Logger:
    """A logger for paho that words nothing but errors; with `on_log` paho words every packet, a tenth of its work."""
    logger = logging.Logger("paho", logging.ERROR)  # noqa: LOG001 - one for each session, in nobody's hierarchy
    logger.addHandler(_Errors(note))
    return logger
