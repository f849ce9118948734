"""One connection to the broker, from CONNECT to its end; paho is known here alone.

A new paho client is made for each: its own memory of unacknowledged messages would send things twice, and its own
thread dies without a word when a callback raises. Here its socket is served by whoever owns the session, callbacks
only take notes, and whatever goes wrong is raised where the session is used.
"""

import contextlib
import logging
import select
import time
from collections.abc import Callable

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from fer_edge.deliver import trouble
from fer_edge.deliver.client import make_client
from fer_edge.deliver.credentials import Credentials
from fer_edge.deliver.doorbell import Doorbell
from fer_edge.deliver.inbox import Heard, Listening
from fer_edge.deliver.parcel import Parcel
from fer_edge.deliver.properties import (
    LARGEST_PACKET,
    MOST_IN_FLIGHT,
    PublishProperties,
    connect_properties,
    publish_size,
)
from fer_edge.deliver.trouble import Broker, Trouble
from fer_edge.deliver.versions import Version
from fer_edge.values import Message

# Keepalives without an acknowledgement, while something waits for one, after which a link is given up.
LATE_KEEPALIVES = 2


class Answer(msgspec.Struct, frozen=True):
    """What the broker said to one message of QoS 1, or to one subscription."""

    key: int | None  # the parcel's
    topic: str
    code: int  # MQTT 5 reason code; always 0 in 3.1.1, which has no way to refuse; ours where we know that it refuses
    name: str  # empty for a message that was taken
    subscription: bool = False


class _Sent(msgspec.Struct, frozen=True):
    parcel: Parcel
    at: float


class Session:
    """Not thread-safe; one thread opens it, serves it and ends it."""

    def __init__(
        self,
        broker: Broker,
        credentials: Credentials,
        version: Version,
        keepalive_s: int,
        will: Message | None,
    ) -> None:
        self.version = version
        self._broker = broker
        self._keepalive_s = keepalive_s
        self._most_in_flight = MOST_IN_FLIGHT
        self._largest: int | None = None  # bytes of a packet that the broker takes; None: it names no limit
        self._sent: dict[int, _Sent] = {}  # by message id, oldest first
        self._answers: list[Answer] = []
        self._listening: Listening | None = None
        self._publish_properties = PublishProperties()
        self._greeting: ReasonCode | None = None
        self._farewell: tuple[bool, ReasonCode] | None = None  # whether the broker said it, and why
        self._socket_error = ""
        self._client = self._make_client(credentials, will)

    @property
    def room(self) -> int:
        """How many more messages may be sent now."""
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
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
            raise Trouble(trouble.unreachable(error, self._broker)) from error
        deadline = time.monotonic() + answer_s
        while self._greeting is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                self.abandon()
                raise Trouble(trouble.unanswered(self._broker, self.version), silent=True)
            self.serve(left_s)

    def listen(self, listening: Listening) -> None:
        """Subscribes; what comes is told while the session is served. A refusal comes as an answer."""
        self._listening = listening
        if self.version == "5":
            # Retained messages keep their mark, also those that are sent while we are here.
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            code, _ = self._client.subscribe([(one, options) for one in listening.filters])
        else:
            code, _ = self._client.subscribe([(one, 1) for one in listening.filters])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ending()

    def send(self, parcel: Parcel) -> None:
        """Sends one message; a parcel with QoS 1 is answered later, as is one that is too large for the broker."""
        message = parcel.message
        properties = self._publish_properties.of(message) if self.version == "5" else None
        if self._largest is not None and (size := publish_size(message, properties)) > self._largest:
            # Sent, it would end the link (MQTT 5.0, 3.2.2.3.6), and the next one, and so on for ever.
            name = f"Packet too large: {size} bytes, it takes {self._largest}"
            self._answers.append(Answer(parcel.key, message.topic, trouble.PACKET_TOO_LARGE, name))
            return
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ending()
        if message.qos:
            self._sent[info.mid] = _Sent(parcel, time.monotonic())

    def serve(self, timeout_s: float, bell: Doorbell | None = None) -> list[Answer]:
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
            self._client.loop_read()
            self._refuse_giants()
        if socket in writable:
            self._client.loop_write()
        self._client.loop_misc()
        answers, self._answers = self._answers, []
        if not answers:  # what was answered counts, even if the link has ended since; the next call says so
            self._raise_if_over()
        return answers

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

    def _refuse_giants(self) -> None:
        """Hangs up on a message that is under way and too large, before it fills the memory (3.1.1 has no limit)."""
        if self._client._in_packet["remaining_length"] > LARGEST_PACKET:  # noqa: SLF001  paho tells nobody else
            raise Trouble(trouble.giant(LARGEST_PACKET, self._broker))

    def _raise_if_over(self) -> None:
        if self._client.socket() is None:
            raise self._ending()
        oldest = next(iter(self._sent.values()), None)
        if oldest and time.monotonic() - oldest.at > LATE_KEEPALIVES * self._keepalive_s:
            raise Trouble(trouble.gone_silent(self._broker))

    def _ending(self) -> Trouble:
        """Why the link is not there any more."""
        broker = self._broker
        if self._greeting is not None and self._greeting.is_failure:
            code, name = self._greeting.value, str(self._greeting)
            return Trouble(trouble.refused(code, name, broker), version=code == trouble.UNSUPPORTED_PROTOCOL)
        by_broker, reason = self._farewell or (False, None)
        if by_broker and reason is not None:
            return Trouble(trouble.ended(reason.value, str(reason), broker))
        if self._greeting is None and "ALERT" not in self._socket_error:
            return Trouble(trouble.unanswered(broker, self.version), silent=True)
        if reason is not None and reason.value == trouble.KEEPALIVE_TIMEOUT:
            return Trouble(trouble.gone_silent(broker))
        return Trouble(trouble.broken_off(self._socket_error, broker))

    def _make_client(self, credentials: Credentials, will: Message | None) -> Client:
        client = make_client(self._broker, credentials, self.version)
        if will is not None:
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

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _more: Properties | None
    ) -> None:
        sent = self._sent.pop(mid, None)
        if sent is not None:
            name = str(reason) if reason.is_failure else ""  # nobody reads it elsewhere, and paho searches it each time
            self._answers.append(Answer(sent.parcel.key, sent.parcel.message.topic, reason.value, name))

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        filters = self._listening.filters if self._listening else ()
        for one, reason in zip(filters, reasons, strict=False):
            self._answers.append(Answer(None, one, reason.value, str(reason), subscription=True))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if self._listening is None or len(message.payload) > LARGEST_PACKET:
            return
        properties = message.properties
        heard = Heard(
            message.topic,
            bytes(message.payload),
            message.retain,
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        self._listening.hear(heard)

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if self._farewell is None:
            self._farewell = (flags.is_disconnect_packet_from_server, reason)

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
