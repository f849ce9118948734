"""What the outbox hands to the link."""

from dataclasses import dataclass

from fer_edge.values import Message


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way; ``key`` is what its acknowledgement names, None where none comes (QoS 0)."""

    key: int | None
    message: Message
