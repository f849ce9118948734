"""Optional broker features: retained messages and QoS 1. Pure.

Managed brokers may lack one, as does mosquitto with `retain_available` or `max_qos` (MQTT 5.0 sections 3.2.2.3.4 and
3.2.2.3.5). MQTT 5 names the missing feature. An MQTT 3.1.1 broker closes the connection without a reason.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from fer_edge.types import Message

Feature = Literal["retain", "qos"]

RETAIN_NOT_SUPPORTED = 0x9A  # MQTT 5 reason codes, section 2.4
QOS_NOT_SUPPORTED = 0x9B
FEATURES: dict[int, Feature] = {RETAIN_NOT_SUPPORTED: "retain", QOS_NOT_SUPPORTED: "qos"}

NO_RETAIN = (
    "keeps no retained messages: later subscribers receive no state, settings or availability, and Home Assistant "
    "discovers the device only while it is running"
)
NO_QOS = "does not support QoS 1: an event that is in flight when the link breaks is lost without a gap"


class Abilities(msgspec.Struct, frozen=True):
    """Features of a broker that are used."""

    retain: bool = True
    qos: int = 1  # the highest

    def without(self, feature: Feature) -> "Abilities":
        """Return the abilities without a feature."""
        return Abilities(False, self.qos) if feature == "retain" else Abilities(self.retain, 0)

    def fitted(self, message: Message) -> Message:
        """Return the message with QoS and retain reduced to what the broker supports."""
        if message.qos <= self.qos and (self.retain or not message.retain):
            return message
        return msgspec.structs.replace(message, qos=min(message.qos, self.qos), retain=message.retain and self.retain)

    def lost(self) -> str:
        """Return one line about the consequences of missing features; empty if none is missing."""
        return "; it ".join(line for line, lost in ((NO_RETAIN, not self.retain), (NO_QOS, not self.qos)) if lost)


ALL = Abilities()
# What an MQTT 3.1.1 broker may lack, in the order of the comparison. Managed brokers lack retain most often.
FEWER = (Abilities(retain=False), Abilities(qos=0), Abilities(retain=False, qos=0))
# Which sessions of a comparison are reduced: the Thue-Morse sequence. It has no period, so neither a link that is cut
# at regular intervals nor a load balancer with one failed backend in two can produce its pattern.
REDUCED = (True, False, False, True, False, True, True, False)


def find_missing(is_acknowledged: Callable[[Abilities], bool | None]) -> Abilities | None:
    """Return the abilities of an MQTT 3.1.1 broker that closes the connection on a feature that it lacks.

    ``is_acknowledged`` runs one short session with the given abilities: True if the broker acknowledged it, False if
    the broker closed it, None for any other result. A reduction is returned only if each of several reduced sessions
    was acknowledged and each full session between them was closed. Otherwise None: the link may merely be unreliable.
    """
    if is_acknowledged(ALL) is not False:
        return None
    for fewer in FEWER:
        if all(is_acknowledged(fewer if reduced else ALL) is reduced for reduced in REDUCED):
            return fewer
    return None


class Learned:
    """Abilities of the broker, as far as earlier links showed them. Not thread-safe; owned by the link.

    After ``HANG_UPS`` MQTT 3.1.1 links in a row that the broker closed before any acknowledgement, the link compares
    sessions with `find_missing`. Its result is kept for REMEMBERED_S.
    """

    HANG_UPS = 3
    REMEMBERED_S = 3600.0  # after it the next link uses every feature again: the broker may have been changed

    def __init__(self) -> None:
        self._abilities = ALL
        self._hang_ups = 0
        self._learned_at = 0.0

    def abilities(self, now: float) -> Abilities:
        """Return the abilities for the next link."""
        if now - self._learned_at >= self.REMEMBERED_S:
            self._abilities = ALL
        return self._abilities

    def lacks(self, feature: Feature, now: float) -> None:
        """Record a feature that the broker reported as unsupported."""
        self._abilities, self._learned_at = self._abilities.without(feature), now

    def acknowledged(self) -> None:
        """Record that the broker acknowledged a message."""
        self._hang_ups = 0

    def hung_up(self) -> bool:
        """Record a link that the broker closed before any acknowledgement; return whether a comparison is due."""
        self._hang_ups += 1
        return self._hang_ups >= self.HANG_UPS

    def compared(self, found: Abilities | None, now: float) -> None:
        """Record the result of a comparison; without proof every feature is used."""
        self._abilities, self._learned_at, self._hang_ups = found or ALL, now, 0
