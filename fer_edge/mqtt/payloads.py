"""What a subscriber reads: the JSON objects of the MQTT contract, one struct each, keys in the order they are sent.

docs/mqtt.md explains every key; a test holds the two together.
"""

from typing import Any

from msgspec import Struct

SCHEMA = 1  # counts up when a key changes its meaning or goes; new keys may come within a schema

Fractions = tuple[float, float, float, float]  # left, top, width, height as fractions of the frame


class Missing(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """The range of `seq` that a gap stands for, both ends included; what nobody can know any more is null."""

    boot: str | None
    first: int | None
    last: int | None


class EventPayload(Struct, frozen=True, kw_only=True):
    """One event. Every key is in every event; what does not apply is null."""

    schema: int = SCHEMA
    id: str
    event_type: str
    time: str
    clock: str
    uptime_s: float | None
    device: str
    face: int | None = None
    emotion: str | None = None
    confidence: float | None = None
    previous: str | None = None
    scores: dict[str, float] | None = None
    box: Fractions | None = None
    duration_s: float | None = None
    reason: str | None = None
    missing: Missing | None = None
    model: str
    replayed: bool = False


class FacePayload(Struct, frozen=True, kw_only=True):
    """One face that is there now."""

    face: int
    emotion: str | None
    confidence: float
    since: str
    box: Fractions


class DominantPayload(Struct, frozen=True, kw_only=True):
    """The expression that speaks for the picture."""

    emotion: str
    confidence: float
    face: int
    since: str


class SummaryPayload(Struct, frozen=True, kw_only=True):
    """What a window of time amounts to, without saying who."""

    schema: int = SCHEMA
    id: str
    time: str
    clock: str
    device: str
    window_s: float
    coverage: float
    faces: int
    dwell_s: dict[str, float]
    unsure_s: float
    model: str


class ResponsePayload(Struct, frozen=True, kw_only=True):
    """What became of a request."""

    schema: int = SCHEMA
    time: str
    clock: str
    device: str
    request: str
    status: str
    transaction: str | int | None
    mistakes: tuple[str, ...]
    data: dict[str, Any] | None


class StatePayload(Struct, frozen=True, kw_only=True):
    """What is seen now."""

    schema: int = SCHEMA
    time: str
    clock: str
    device: str
    camera: str
    faces: tuple[FacePayload, ...]
    dominant: DominantPayload | None
