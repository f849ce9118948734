"""Publisher of the pipeline and the daemon: builds MQTT messages and passes them to the transport."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from fer_edge.config.model import PublishSettings
from fer_edge.errors import UserError
from fer_edge.mqtt.messages import Messages, dominant
from fer_edge.mqtt.requests import Request
from fer_edge.types import Event, FaceState, Message, SummaryWindow

# Confidence changes with every frame; 0.1 is the smallest step that a person or an automation acts on.
CONFIDENCE_STEP = 0.1


class PublishedState(msgspec.Struct, frozen=True):
    """Content of the latest `state` message, as far as a change is published."""

    camera: str
    faces: tuple[tuple[int, str | None, float], ...]  # id, emotion, confidence
    dominant: int | None  # id of the dominant face, which may change by its size alone

    def differs(self, other: "PublishedState") -> bool:
        """Return whether the difference is to be published."""
        if (self.camera, self.dominant, len(self.faces)) != (other.camera, other.dominant, len(other.faces)):
            return True
        return any(
            (face, emotion) != (other_face, other_emotion) or abs(confidence - other_confidence) >= CONFIDENCE_STEP
            for (face, emotion, confidence), (other_face, other_emotion, other_confidence) in zip(
                self.faces, other.faces, strict=True
            )
        )


class StateDebounce:
    """Rate limit of `state` messages. A change that is held back is checked again with the next frame. Main thread."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._shown: PublishedState | None = None
        self._at = float("-inf")

    def reset(self) -> None:
        """Make the next state due at once."""
        self._shown, self._at = None, float("-inf")

    def is_due(self, verdicts: Sequence[FaceState], camera: str, now: float) -> bool:
        """Return whether to publish now; True counts as published."""
        top = dominant(verdicts)
        faces = tuple((one.face, one.emotion, one.confidence) for one in verdicts)
        shows = PublishedState(camera, faces, None if top is None else top.face)
        if now - self._at < self.interval_s or (self._shown is not None and not shows.differs(self._shown)):
            return False
        self._shown, self._at = shows, now
        return True


class Transport(Protocol):
    """Delivery of messages to the broker; returns at once."""

    def event(self, event: Event) -> None:
        """Make a message of an event and keep it until the broker acknowledges it."""
        ...

    def publish(self, message: Message) -> None:
        """Enqueue a message that is not an event."""
        ...


class MqttPublisher:
    """Publisher over ``transport``. The main thread owns it.

    ``aggregate``: nothing about single faces is published; this class alone enforces it.
    """

    def __init__(
        self, messages: Messages, transport: Transport, settings: PublishSettings, *, aggregate: bool = False
    ) -> None:
        self._messages = messages
        self._publish_event = transport.event
        self._publish = transport.publish
        self._debounce = StateDebounce(settings.state_s)
        self._camera = "opening"
        self._verdicts: Sequence[FaceState] = ()
        self._aggregate = aggregate
        if aggregate:
            self._publish(messages.no_state())

    def event(self, event: Event) -> None:
        """Publish an event; it is kept until the broker has acknowledged it."""
        if not self._aggregate:
            self._publish_event(event)

    def seen(self, verdicts: Sequence[FaceState], now: float) -> None:
        """Publish the faces as a `state` message if they have changed."""
        if self._aggregate:
            return
        self._verdicts = verdicts
        if self._debounce.is_due(verdicts, self._camera, now):
            self._publish(self._messages.state(verdicts, self._camera))

    def nobody(self, now: float) -> None:
        """Publish a state without faces at once: there may be no later frame."""
        self._debounce.reset()
        self.seen((), now)

    def camera(self, state: str) -> None:
        """Set the camera's state for the next `state` message."""
        self._camera = state

    def summary(self, window: SummaryWindow) -> None:
        """Publish the statistics of a time window."""
        self._publish(self._messages.summary(window))

    def health(self, figures: Mapping[str, object]) -> None:
        """Publish runtime metrics."""
        self._publish(self._messages.health(figures))

    def info(self, facts: Mapping[str, object]) -> None:
        """Publish version, model and runtime."""
        self._publish(self._messages.info(facts))

    def settings(self, table: Mapping[str, object], *, paused: bool) -> None:
        """Publish the current values of the settings that can change at runtime."""
        self._publish(self._messages.settings(table, paused=paused))

    def response(self, request: Request, mistakes: Sequence[str], data: dict[str, Any] | None) -> None:
        """Publish the response to a request."""
        self._publish(self._messages.response(request, mistakes, data))

    def snapshot(self) -> dict[str, Any]:
        """Return the payload of a `state` message of this moment.

        Raises:
            UserError: aggregate mode publishes nothing about single faces.
        """
        if self._aggregate:
            raise UserError("privacy.mode is aggregate: only summaries are published")
        payload: dict[str, Any] = msgspec.to_builtins(self._messages.state_payload(self._verdicts, self._camera))
        return payload

    def reconfigure(self, settings: PublishSettings) -> None:
        """Apply changed settings."""
        self._debounce.interval_s = settings.state_s
