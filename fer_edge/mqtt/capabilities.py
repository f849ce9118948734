"""MQTT features that a broker may lack, and what the daemon leaves out then. Pure.

A broker may lack retained messages or QoS 1: managed ones, or mosquitto with `retain_available` and `max_qos` (MQTT 5.0
sections 3.2.2.3.4 and 3.2.2.3.5). MQTT 5 names what is missing. MQTT 3.1.1 has no word for it: the broker hangs up.
"""

from typing import Literal

import msgspec

from fer_edge.types import Message

Feature = Literal["retain", "qos"]

RETAIN_NOT_SUPPORTED = 0x9A  # MQTT 5 reason codes, section 2.4
QOS_NOT_SUPPORTED = 0x9B
FEATURES: dict[int, Feature] = {RETAIN_NOT_SUPPORTED: "retain", QOS_NOT_SUPPORTED: "qos"}

NO_RETAIN = (
    "keeps no retained messages: whoever subscribes later gets no state, settings or availability, and Home Assistant "
    "finds the device only while it listens"
)
NO_QOS = "takes no QoS 1: an event that is published as the link breaks is lost, and no gap names it"


class Abilities(msgspec.Struct, frozen=True):
    """Features of a broker that are used."""

    retain: bool = True
    qos: int = 1  # the highest

    def without(self, feature: Feature) -> "Abilities":
        """Return the same without one more feature."""
        return Abilities(False, self.qos) if feature == "retain" else Abilities(self.retain, 0)

    def fitted(self, message: Message) -> Message:
        """Return the message with as much of QoS and retain as the broker takes."""
        if message.qos <= self.qos and (self.retain or not message.retain):
            return message
        return msgspec.structs.replace(message, qos=min(message.qos, self.qos), retain=message.retain and self.retain)

    def lost(self) -> str:
        """One line about what does not work; empty where everything does."""
        return "; it ".join(line for line, lost in ((NO_RETAIN, not self.retain), (NO_QOS, not self.qos)) if lost)


ALL = Abilities()
# In MQTT 3.1.1: what is tried, one after the other, with a broker that hangs up without a word. Retain first, it is
# what managed brokers lack most often.
FEWER = (Abilities(retain=False), Abilities(qos=0), Abilities(retain=False, qos=0))


class Learned:
    """What a broker lacks by what became of earlier links. Not thread-safe, the link owns it.

    An MQTT 3.1.1 broker that lacks a feature ends each link before it acknowledges anything. One that is stopped, or
    lets another client take the id over, has mostly acknowledged something first. So the next reduction is
    tried after ``HANG_UPS`` links in a row that ended without an acknowledgement; one that works is kept for
    REMEMBERED_S.
    """

    HANG_UPS = 3
    REMEMBERED_S = 3600.0  # after it the next link has everything again: the broker may have been changed

    def __init__(self) -> None:
        self._abilities = ALL
        self._hang_ups = 0
        self._learned_at = 0.0

    def abilities(self, now: float) -> Abilities:
        """Return what the next link is to use."""
        if now - self._learned_at >= self.REMEMBERED_S:
            self._abilities = ALL
        return self._abilities

    def lacks(self, feature: Feature, now: float) -> None:
        """Note the feature that the broker names as missing."""
        self._abilities, self._learned_at = self._abilities.without(feature), now

    def acknowledged(self) -> None:
        """Note that the broker takes what is published."""
        self._hang_ups = 0

    def hung_up(self, now: float) -> None:
        """Note a link that the broker ended without a word, with something published and nothing acknowledged."""
        self._hang_ups += 1
        if self._hang_ups >= self.HANG_UPS:
            self._hang_ups, self._learned_at = 0, now
            rungs = (ALL, *FEWER)
            self._abilities = rungs[(rungs.index(self._abilities) + 1) % len(rungs)]
