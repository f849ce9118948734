"""Events, verdicts and figures as MQTT messages. Pure: the clocks are parameters.

This is the one place where wall clock time is stamped. Everything before it is monotonic, because the clock of a
device without a battery may be weeks off at boot and jump when it is corrected; `clock` says whether the stamp can be
believed, and `uptime_s` orders the events of one boot whatever the clock did.
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

RESPONSE_EXPIRY_S = 60  # whoever asked has given up by then
MODEL_CHARACTERS = 8  # of the sha256

_ENCODER = msgspec.json.Encoder()


class Clocks(msgspec.Struct, frozen=True):
    """What time it is; read once for each message."""

    wall: Callable[[], float]  # seconds since 1970: time.time
    monotonic: Callable[[], float]  # seconds: time.monotonic, the clock of Event.at and Verdict.since
    synced: Callable[[], bool]  # whether a time service keeps the wall clock


class Messages:
    """The messages of one boot; it numbers the events.

    Not thread-safe, the main thread owns it; `gap` alone touches no state and may be called from any thread.
    """

    def __init__(self, topics: Topics, model: str, boot: str, clocks: Clocks, expiry_s: int = 0) -> None:
        self._topics = topics
        self._model = model[:MODEL_CHARACTERS]  # sha256 in hexadecimal
        self._boot = boot
        self._clocks = clocks
        self._started = clocks.monotonic()
        self._expiry_s = expiry_s or None  # the setting's 0 is never
        self._seq = 0
        self._windows = 0

    @property
    def newest(self) -> str:
        """The id of the newest event."""
        return self._id(self._seq)

    def event(self, event: Event) -> Message:
        """The next event of this boot."""
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

    def gap(self, boot: str, first: int, last: int, reason: str) -> Message:
        """What is said instead of a boot's events ``first`` to ``last``, which will not be sent; under the last id.

        So ids keep counting up without a hole of their own, and the gap needs no number that nobody reserved for it.
        """
        return self._event_message(self._gap(f"{boot}-{last}", Missing(boot, first, last), reason), last)

    def uptime_s(self, at: float) -> float:
        """Seconds from the start of this boot to the moment ``at`` (seconds, monotonic)."""
        return at - self._started

    def lost(self, boot: str | None, first: int | None, reason: str) -> Message:
        """The next event of this boot: of an earlier one everything from ``first`` on may be lost.

        With None for ``boot`` not even which boots those were. It does not expire: nobody says it again.
        """
        self._seq += 1
        payload = self._gap(self._id(self._seq), Missing(boot, first, None), reason)
        return msgspec.structs.replace(self._event_message(payload, self._seq), expiry_s=None)

    def state(self, verdicts: Sequence[FaceState], camera: str) -> Message:
        """What is seen now; ``camera`` is the camera's state in one word."""
        return Message(self._topics.state, _ENCODER.encode(self.state_payload(verdicts, camera)), qos=1, retain=True)

    def state_payload(self, verdicts: Sequence[FaceState], camera: str) -> StatePayload:
        """What a `state` message of this moment says."""
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
        """The next closed window of this boot; nothing in it says who was there, or where."""
        self._windows += 1
        payload = SummaryPayload(
            id=f"{self._boot}-s{self._windows}",
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
        """What takes back the `state` that an earlier run may have left with the broker."""
        return Message(self._topics.state, b"", qos=1, retain=True)

    def health(self, figures: Mapping[str, object]) -> Message:
        """How the daemon is doing. QoS 0: the next one comes soon, and an old one is of no use."""
        return Message(self._topics.health, self._figures(figures), qos=0, retain=True)

    def info(self, facts: Mapping[str, object]) -> Message:
        """What is running here."""
        return Message(self._topics.info, self._figures(facts), qos=1, retain=True)

    def settings(self, table: Mapping[str, object], *, paused: bool) -> Message:
        """What can be changed while the daemon runs, as it is."""
        return Message(self._topics.settings, self._figures({"paused": paused, "settings": table}), qos=1, retain=True)

    def response(self, request: Request, mistakes: Sequence[str], data: dict[str, Any] | None) -> Message:
        """The answer to a request: what is wrong with it, or what was done."""
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

    def _figures(self, figures: Mapping[str, object]) -> bytes:
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
            uptime_s=seconds(now - self._started) if missing.boot == self._boot else None,
            device=self._topics.device,
            reason=reason,
            missing=missing,
            model=self._model,
        )

    def _event_message(self, payload: EventPayload, seq: int) -> Message:
        spare = payload.event_type == EventKind.CHANGED.value
        encoded = _ENCODER.encode(payload)
        return Message(self._topics.event, encoded, qos=1, expiry_s=self._expiry_s, seq=seq, spare=spare)

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
        return f"{self._boot}-{seq}"

    def _clock(self) -> str:
        return "synced" if self._clocks.synced() else "unsynced"

    def _wall_of(self, at: float) -> float:
        return self._clocks.wall() - (self._clocks.monotonic() - at)


def new_boot() -> str:
    """A name for one run of the daemon that no other run had: eight hexadecimal digits."""
    return secrets.token_hex(4)


def availability(topics: Topics, payload: bytes) -> Message:
    """`online` or `offline`."""
    return Message(topics.availability, payload, qos=1, retain=True)


def as_replayed(message: Message) -> Message:
    """The same event, marked as made before the link that carries it; every other key stays as it was."""
    payload = msgspec.json.decode(message.payload, type=EventPayload)
    return msgspec.structs.replace(message, payload=_ENCODER.encode(msgspec.structs.replace(payload, replayed=True)))


def dominant(verdicts: Sequence[FaceState]) -> FaceState | None:
    """The verdict that speaks for the picture: of the faces with an expression, the largest; None without one.

    Size and not confidence, because the face nearest to the camera stays the nearest for seconds while confidences pass
    each other with every frame. The older track wins between equals.
    """
    held = [verdict for verdict in verdicts if verdict.emotion is not None]
    return max(held, key=lambda verdict: (verdict.box.w * verdict.box.h, -verdict.face), default=None)
