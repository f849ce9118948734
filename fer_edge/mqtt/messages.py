"""MQTT messages of events, states and metrics. Pure: the clocks are parameters.

Only this module stamps wall clock time. Everything before it is monotonic: the clock of a device without a battery may
be weeks off at boot and jump when it is corrected. `clock` states whether the stamp is reliable, and `uptime_s` orders
the events of one run.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fer_edge.mqtt.payloads import (
    SCHEMA,
    DominantPayload,
    EventPayload,
    FacePayload,
    Missing,
    ResponsePayload,
    StatePayload,
    SummaryPayload,
    box_fractions,
    fraction,
    rfc3339,
    score_table,
    seconds,
)
from fer_edge.mqtt.requests import Request, listed
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Event, EventKind, FaceState, Message, SummaryWindow

ONLINE = b"online"
OFFLINE = b"offline"

RESPONSE_EXPIRY_S = 60  # a client has timed out by then
MODEL_CHARACTERS = 8  # of the sha256

_ENCODER = msgspec.json.Encoder()


class Clocks(msgspec.Struct, frozen=True):
    """Clocks of the messages, read once for each."""

    wall: Callable[[], float]  # seconds since 1970: time.time
    monotonic: Callable[[], float]  # seconds: time.monotonic, the clock of Event.at and FaceState.since
    synced: Callable[[], bool]  # whether a time service keeps the wall clock


class Messages:
    """Builds the messages of one run and numbers its events.

    Not thread-safe, the main thread owns it; `gap` alone touches no state and may be called from any thread.
    """

    def __init__(self, topics: Topics, model: str, run: str, clocks: Clocks, expiry_s: int = 0) -> None:
        self._topics = topics
        self._model = model[:MODEL_CHARACTERS]  # sha256 in hexadecimal
        self._run = run
        self._clocks = clocks
        self._started = clocks.monotonic()
        self._expiry_s = expiry_s or None  # the setting's 0: no expiry
        self._seq = 0
        self._windows = 0

    @property
    def newest(self) -> str:
        """Id of the newest event."""
        return self._id(self._seq)

    def event(self, event: Event) -> Message:
        """Return the message of the next event of this run."""
        self._seq += 1
        payload = EventPayload(
            id=self._id(self._seq),
            event_type=event.kind.value,
            time=rfc3339(self._wall_of(event.at)),
            clock=self._clock(),
            uptime_s=seconds(event.at - self._started),
            device=self._topics.device,
            face=event.face,
            emotion=event.emotion,
            confidence=fraction(event.confidence),
            previous=event.previous,
            scores=score_table(event.scores),
            box=box_fractions(event.box),
            duration_s=None if event.duration_s is None else seconds(event.duration_s),
            reason=event.reason,
            model=self._model,
        )
        return self._event_message(payload, self._seq)

    def gap(self, run: str, first: int, last: int, reason: str) -> Message:
        """Return the gap that replaces the events ``first`` to ``last`` of a run; it has the id of the last.

        So ids count up without a hole, and a gap needs no number of its own.
        """
        return self._event_message(self._gap(f"{run}-{last}", Missing(run, first, last), reason), last)

    def uptime_s(self, at: float) -> float:
        """Return the seconds from the start of this run to ``at`` (seconds, monotonic)."""
        return at - self._started

    def lost(self, run: str | None, first: int | None, reason: str) -> Message:
        """Return a gap without an end, as the next event: of an earlier run everything from ``first`` on may be lost.

        None for ``run``: the earlier runs are unknown. The message does not expire, because it is not repeated.
        """
        self._seq += 1
        payload = self._gap(self._id(self._seq), Missing(run, first, None), reason)
        return msgspec.structs.replace(self._event_message(payload, self._seq), expiry_s=None)

    def state(self, verdicts: Sequence[FaceState], camera: str) -> Message:
        """Return the `state` message; ``camera`` is the camera's state."""
        return Message(self._topics.state, _ENCODER.encode(self.state_payload(verdicts, camera)), qos=1, retain=True)

    def state_payload(self, verdicts: Sequence[FaceState], camera: str) -> StatePayload:
        """Return the payload of a `state` message of this moment."""
        top = dominant(verdicts)
        return StatePayload(
            time=rfc3339(self._clocks.wall()),
            clock=self._clock(),
            device=self._topics.device,
            camera=camera,
            faces=tuple(self._face(verdict) for verdict in verdicts),
            dominant=None if top is None else self._dominant(top),
        )

    def summary(self, window: SummaryWindow) -> Message:
        """Return the message of the next closed window; it contains no faces and no positions."""
        self._windows += 1
        payload = SummaryPayload(
            id=f"{self._run}-s{self._windows}",
            time=rfc3339(self._wall_of(window.ended)),
            clock=self._clock(),
            device=self._topics.device,
            window_s=seconds(window.ended - window.started),
            coverage=fraction(window.coverage),
            faces=window.faces,
            dwell_s={emotion: seconds(held_s) for emotion, held_s in window.dwell_s.items()},
            unsure_s=seconds(window.unsure_s),
            model=self._model,
        )
        return Message(self._topics.summary, _ENCODER.encode(payload), qos=1, expiry_s=self._expiry_s)

    def no_state(self) -> Message:
        """Return the message that clears the retained `state` of an earlier run."""
        return Message(self._topics.state, b"", qos=1, retain=True)

    def health(self, figures: Mapping[str, object]) -> Message:
        """Return the metrics. QoS 0: the next message follows soon, and an old one is useless."""
        return Message(self._topics.health, self._encode(figures), qos=0, retain=True)

    def info(self, facts: Mapping[str, object]) -> Message:
        """Return version, model and runtime."""
        return Message(self._topics.info, self._encode(facts), qos=1, retain=True)

    def settings(self, table: Mapping[str, object], *, paused: bool) -> Message:
        """Return the current values of the settings that can change at runtime."""
        return Message(self._topics.settings, self._encode({"paused": paused, "settings": table}), qos=1, retain=True)

    def response(self, request: Request, mistakes: Sequence[str], data: dict[str, Any] | None) -> Message:
        """Return the response to a request: its mistakes, or the resulting data."""
        payload = ResponsePayload(
            time=rfc3339(self._clocks.wall()),
            clock=self._clock(),
            device=self._topics.device,
            request=request.verb,
            status="error" if mistakes else "ok",
            transaction=request.transaction,
            mistakes=listed(mistakes),
            data=None if mistakes else data,
        )
        encoded = _ENCODER.encode(payload)
        return Message(request.reply_to, encoded, expiry_s=RESPONSE_EXPIRY_S, correlation=request.correlation)

    def _encode(self, figures: Mapping[str, object]) -> bytes:
        now = rfc3339(self._clocks.wall())
        head = {"schema": SCHEMA, "time": now, "clock": self._clock(), "device": self._topics.device}
        return _ENCODER.encode({**head, **figures})

    def _gap(self, name: str, missing: Missing, reason: str) -> EventPayload:
        now = self._clocks.monotonic()
        return EventPayload(
            id=name,
            event_type=EventKind.GAP.value,
            time=rfc3339(self._wall_of(now)),
            clock=self._clock(),
            uptime_s=seconds(now - self._started) if missing.boot == self._run else None,
            device=self._topics.device,
            reason=reason,
            missing=missing,
            model=self._model,
        )

    def _event_message(self, payload: EventPayload, seq: int) -> Message:
        droppable = payload.event_type == EventKind.CHANGED.value
        encoded = _ENCODER.encode(payload)
        return Message(self._topics.event, encoded, qos=1, expiry_s=self._expiry_s, seq=seq, droppable=droppable)

    def _face(self, verdict: FaceState) -> FacePayload:
        return FacePayload(
            face=verdict.face,
            emotion=verdict.emotion,
            confidence=fraction(verdict.confidence),
            since=rfc3339(self._wall_of(verdict.since)),
            box=box_fractions(verdict.box),
        )

    def _dominant(self, verdict: FaceState) -> DominantPayload:
        assert verdict.emotion is not None
        return DominantPayload(
            emotion=verdict.emotion,
            confidence=fraction(verdict.confidence),
            face=verdict.face,
            since=rfc3339(self._wall_of(verdict.since)),
        )

    def _id(self, seq: int) -> str:
        return f"{self._run}-{seq}"

    def _clock(self) -> str:
        return "synced" if self._clocks.synced() else "unsynced"

    def _wall_of(self, at: float) -> float:
        return self._clocks.wall() - (self._clocks.monotonic() - at)


def new_run_name() -> str:
    """Return a random name for one run of the daemon: eight hexadecimal digits."""
    return secrets.token_hex(4)


def availability(topics: Topics, payload: bytes) -> Message:
    """Return the availability message, `online` or `offline`."""
    return Message(topics.availability, payload, qos=1, retain=True)


def as_replayed(message: Message) -> Message:
    """Return the event with `replayed` set: it is older than the connection. All other keys are unchanged."""
    payload = msgspec.json.decode(message.payload, type=EventPayload)
    return msgspec.structs.replace(message, payload=_ENCODER.encode(msgspec.structs.replace(payload, replayed=True)))


def dominant(verdicts: Sequence[FaceState]) -> FaceState | None:
    """Return the largest face with an expression, None without one.

    Size instead of confidence: the nearest face stays the largest for seconds, while confidences change with every
    frame. Of equal faces the older track is chosen.
    """
    held = [verdict for verdict in verdicts if verdict.emotion is not None]
    return max(held, key=lambda verdict: (verdict.box.w * verdict.box.h, -verdict.face), default=None)
