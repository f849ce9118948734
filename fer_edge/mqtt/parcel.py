"""What the outbox hands to the link."""

import msgspec

from fer_edge.types import Message


class Parcel(msgspec.Struct, frozen=True):
    """One message on its way; ``key`` is what its acknowledgement names, None where none comes (QoS 0)."""

    key: int | None
    message: Message
