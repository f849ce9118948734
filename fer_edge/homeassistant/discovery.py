"""The device as Home Assistant finds it by itself: one retained message, and what follows Home Assistant's birth. Pure.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from fer_edge.config.model import HomeAssistantSettings
from fer_edge.homeassistant.entities import controls, diagnostics, observations, summaries
from fer_edge.mqtt.requests import ReceivedMessage
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Message

BIRTH = b"online"
# After its birth Home Assistant is busy, and every device of the house answers at once: each waits a random while.
LONGEST_WAIT_S = 5.0
DIGEST_CHARACTERS = 8


class Discovery(msgspec.Struct, frozen=True):
    """What there is to say of a device whose topics are ``topics``; ``phases`` are the states its camera may be in."""

    topics: Topics
    prefix: str  # Home Assistant's, where it looks for devices
    version: str
    model: str
    phases: tuple[str, ...]
    seeing: tuple[str, ...]  # those in which something can be seen
    aggregate: bool = False  # nothing is told of single faces

    @property
    def topic(self) -> str:
        """Where Home Assistant looks for this device."""
        return f"{self.prefix}/device/{device_id(self.topics)}/config"

    def message(self) -> Message:
        """All entities of the device, retained."""
        payload: dict[str, Any] = {
            "device": {
                "identifiers": [device_id(self.topics)],
                "name": self.topics.device,
                "manufacturer": "fer-edge",
                "model": self.model,
                "sw_version": self.version,
            },
            "origin": {"name": "fer-edge", "sw_version": self.version},
            "components": self._components(),
        }
        return Message(self.topic, msgspec.json.encode(payload), qos=1, retain=True)

    def _components(self) -> dict[str, Any]:
        entities = {
            **observations(self.topics, self.seeing),
            **summaries(self.topics, shown=self.aggregate),
            **diagnostics(self.topics, self.phases),
            **controls(self.topics),
        }
        complete = {key: self._complete(key, entity) for key, entity in entities.items()}
        if self.aggregate:  # a platform alone takes back what another mode may have left
            complete |= {key: {"platform": complete[key]["platform"]} for key in observations(self.topics, ())}
        return complete

    def _complete(self, key: str, entity: dict[str, Any]) -> dict[str, Any]:
        named = {**entity, "unique_id": f"{device_id(self.topics)}_{key}"}
        return named if "availability" in named else {**named, "availability_topic": self.topics.availability}


class BirthWatch:
    """When to say everything again, because Home Assistant has started. Not thread-safe; the main thread owns it."""

    def __init__(self, settings: HomeAssistantSettings, draw: Callable[[], float]) -> None:
        self.prefix = settings.prefix
        self.topic = f"{settings.prefix}/status"
        self._draw = draw  # 0 to 1
        self._due_at: float | None = None  # seconds, monotonic

    def hear(self, heard: ReceivedMessage, now: float) -> None:
        """Takes note of a birth."""
        if heard.payload == BIRTH and self._due_at is None:
            self._due_at = now + LONGEST_WAIT_S * self._draw()

    def is_due(self, now: float) -> bool:
        """Whether it is time; True once for each birth."""
        if self._due_at is None or now < self._due_at:
            return False
        self._due_at = None
        return True


def device_id(topics: Topics) -> str:
    """The device's name in Home Assistant's topic: letters, digits, `_` and `-`, and a digest where that loses any."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", topics.base)
    if plain == topics.base.replace("/", "_"):
        return plain
    digest = hashlib.sha256(topics.base.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{plain}_{digest}"


def removal(topics: Topics, prefix: str) -> Message:
    """What makes Home Assistant forget the device and all of its entities: an empty retained message in its place."""
    return Message(f"{prefix}/device/{device_id(topics)}/config", b"", qos=1, retain=True)
