"""A paho client as the settings want it: who we are, version, transport, TLS. It connects nowhere by itself.

What arrives is bounded and may be malformed. paho ends the link at a packet that it cannot parse; a retained message
with one such character would then end each link after it. The length of a packet is known before its content, so the
packet alone is dropped.
"""

import struct
from collections.abc import Callable, Iterator

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException

from fer_edge.mqtt.credentials import Credentials
from fer_edge.mqtt.diagnostics import Broker
from fer_edge.mqtt.versions import Version
from fer_edge.plain_text import printable

PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
FAILED = 0x80  # "unspecified error", MQTT 5.0 section 2.4: for a code that is a failure and not a known one
LONGEST_TOPIC_SHOWN = 100  # characters

# Beside its MalformedPacket (an MQTTException) paho 2.1 raises these, and so does reading a topic that is no UTF-8.
_PARSE_ERRORS = (MQTTException, ValueError, LookupError, struct.error)
_NAMES = {kind.value: kind.name for kind in MessageType}
_ACKNOWLEDGEMENTS = (MessageType.PUBACK, MessageType.PUBREC, MessageType.PUBREL, MessageType.PUBCOMP)


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
    broker: Broker, credentials: Credentials, version: Version, largest: int, dropped: Callable[[str], None]
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
