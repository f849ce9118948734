"""Home Assistant MQTT discovery: one retained message for the device, and its repetition after a birth message. Pure.

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
# Home Assistant is busy after its start, and every device answers at once: each waits a random time.
LONGEST_WAIT_S = 5.0
DIGEST_CHARACTERS = 8


class Discovery(msgspec.Struct, frozen=True):
    """Discovery message of the device with ``topics``; ``phases`` are the possible states of its camera."""

    topics: Topics
    prefix: str  # Home Assistant's discovery prefix
    version: str
    model: str
    phases: tuple[str, ...]
    seeing: tuple[str, ...]  # phases in which frames are processed
    aggregate: bool = False  # no entities for single faces

    @property
    def topic(self) -> str:
        """Discovery topic of this device."""
        return f"{self.prefix}/device/{device_id(self.topics)}/config"

    def message(self) -> Message:
        """Return the retained message with all entities of the device."""
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
        if self.aggregate:  # an entry with only a platform removes the entity
            complete |= {key: {"platform": complete[key]["platform"]} for key in observations(self.topics, ())}
        return complete

    def _complete(self, key: str, entity: dict[str, Any]) -> dict[str, Any]:
        named = {**entity, "unique_id": f"{device_id(self.topics)}_{key}"}
        return named if "availability" in named else {**named, "availability_topic": self.topics.availability}


class BirthWatch:
    """Detects that Home Assistant has started and discovery is to be repeated. Not thread-safe; main thread only."""

    def __init__(self, settings: HomeAssistantSettings, draw: Callable[[], float]) -> None:
        self.prefix = settings.prefix
        self.topic = f"{settings.prefix}/status"
        self._draw = draw  # 0 to 1
        self._due_at: float | None = None  # seconds, monotonic

    def receive(self, message: ReceivedMessage, now: float) -> None:
        """Process a message on Home Assistant's status topic."""
        if message.payload == BIRTH and self._due_at is None:
            self._due_at = now + LONGEST_WAIT_S * self._draw()

    def is_due(self, now: float) -> bool:
        """Return whether discovery is to be repeated now; True once for each birth message."""
        if self._due_at is None or now < self._due_at:
            return False
        self._due_at = None
        return True


def device_id(topics: Topics) -> str:
    """Return the device's id in the discovery topic: letters, digits, `_`, `-`, a digest if others were replaced."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", topics.base)
    if plain == topics.base.replace("/", "_"):
        return plain
    digest = hashlib.sha256(topics.base.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{plain}_{digest}"


def removal(topics: Topics, prefix: str) -> Message:
    """Return the empty retained message that removes the device and its entities from Home Assistant."""
    return Message(f"{prefix}/device/{device_id(topics)}/config", b"", qos=1, retain=True)
