"""Turns what the pipeline and the daemon have to say into messages, and hands them over."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from fer_edge.config.model import PublishSettings
from fer_edge.errors import UserError
from fer_edge.mqtt.messages import Messages, dominant
from fer_edge.mqtt.requests import Request
from fer_edge.types import Event, FaceState, Message, SummaryWindow

# Confidence wanders with every frame; a tenth is the smallest step that a person or an automation acts on.
CONFIDENCE_STEP = 0.1


class PublishedState(msgspec.Struct, frozen=True):
    """What the latest message showed, as far as a difference matters."""

    camera: str
    faces: tuple[tuple[int, str | None, float], ...]  # id, emotion, confidence
    dominant: int | None  # the id of the face that speaks for the picture: it may change by its size alone

    def differs(self, other: "PublishedState") -> bool:
        """Whether a subscriber would want to know."""
        if (self.camera, self.dominant, len(self.faces)) != (other.camera, other.dominant, len(other.faces)):
            return True
        return any(
            (face, emotion) != (other_face, other_emotion) or abs(confidence - other_confidence) >= CONFIDENCE_STEP
            for (face, emotion, confidence), (other_face, other_emotion, other_confidence) in zip(
                self.faces, other.faces, strict=True
            )
        )


class StateDebounce:
    """Decides frame by frame; what is held back is not lost, the next frame asks again. The main thread owns it."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._shown: PublishedState | None = None
        self._at = float("-inf")

    def forget(self) -> None:
        """Makes the next state due, whatever was shown and when."""
        self._shown, self._at = None, float("-inf")

    def is_due(self, verdicts: Sequence[FaceState], camera: str, now: float) -> bool:
        """Whether to publish now; True counts as published."""
        top = dominant(verdicts)
        faces = tuple((one.face, one.emotion, one.confidence) for one in verdicts)
        shows = PublishedState(camera, faces, None if top is None else top.face)
        if now - self._at < self.interval_s or (self._shown is not None and not shows.differs(self._shown)):
            return False
        self._shown, self._at = shows, now
        return True


class Transport(Protocol):
    """Whoever carries messages to the broker; returns at once."""

    def event(self, event: Event) -> None:
        """An event, to be made a message and kept until the broker has it."""
        ...

    def publish(self, message: Message) -> None:
        """A message that is no event."""
        ...


class MqttPublisher:
    """The pipeline's publisher; ``carrier`` takes what it has to say. The main thread owns it.

    ``aggregate``: nothing is told of a face, here and nowhere else is where that is decided.
    """

    def __init__(
        self, messages: Messages, carrier: Transport, settings: PublishSettings, *, aggregate: bool = False
    ) -> None:
        self._messages = messages
        self._tell = carrier.event
        self._publish = carrier.publish
        self._pace = StateDebounce(settings.state_s)
        self._camera = "opening"
        self._verdicts: Sequence[FaceState] = ()
        self._aggregate = aggregate
        if aggregate:
            self._publish(messages.no_state())

    def event(self, event: Event) -> None:
        """An event, kept until the broker has acknowledged it."""
        if not self._aggregate:
            self._tell(event)

    def seen(self, verdicts: Sequence[FaceState], now: float) -> None:
        """What is seen now; becomes a `state` message where it has changed."""
        if self._aggregate:
            return
        self._verdicts = verdicts
        if self._pace.is_due(verdicts, self._camera, now):
            self._publish(self._messages.state(verdicts, self._camera))

    def nobody(self, now: float) -> None:
        """Nobody is seen, said at once: there may be no later frame to say it with."""
        self._pace.forget()
        self.seen((), now)

    def camera(self, state: str) -> None:
        """The camera's state in one word, for the next `state` message."""
        self._camera = state

    def summary(self, window: SummaryWindow) -> None:
        """What a window of time amounts to."""
        self._publish(self._messages.summary(window))

    def health(self, figures: Mapping[str, object]) -> None:
        """How the daemon is doing."""
        self._publish(self._messages.health(figures))

    def info(self, facts: Mapping[str, object]) -> None:
        """What is running."""
        self._publish(self._messages.info(facts))

    def settings(self, table: Mapping[str, object], *, paused: bool) -> None:
        """What can be changed while the daemon runs, as it is."""
        self._publish(self._messages.settings(table, paused=paused))

    def response(self, request: Request, mistakes: Sequence[str], data: dict[str, Any] | None) -> None:
        """The answer to a request."""
        self._publish(self._messages.response(request, mistakes, data))

    def snapshot(self) -> dict[str, Any]:
        """What a `state` message of this moment says.

        Raises:
            UserError: nothing is told of single faces.
        """
        if self._aggregate:
            raise UserError("privacy.mode is aggregate: nothing is told of what is seen now, only summaries are")
        payload: dict[str, Any] = msgspec.to_builtins(self._messages.state_payload(self._verdicts, self._camera))
        return payload

    def reconfigure(self, settings: PublishSettings) -> None:
        """Another pace from now on."""
        self._pace.interval_s = settings.state_s
