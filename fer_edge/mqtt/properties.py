"""What MQTT 5 packets carry beside their payload, as paho wants it."""

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fer_edge.types import Message

# Messages on their way at once, in either direction. mosquitto's own default; a broker that wants fewer says so.
MOST_IN_FLIGHT = 20
# Bytes of one packet to us, ten times what a request needs. In MQTT 5 the broker is asked to keep to it; in both
# versions the link ends at a length beyond it. Without a limit anybody may send 256 MB.
LARGEST_PACKET = 16384


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
