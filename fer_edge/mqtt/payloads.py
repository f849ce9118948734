"""JSON payloads of the MQTT contract, one struct each, keys in the order in which they are sent.

docs/mqtt.md explains every key; a test compares the two.
"""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from fer_edge.emotions import EMOTIONS
from fer_edge.types import Box, Scores

DIGITS = 4  # of probabilities and of fractions of the frame: 0.0001 of 4096 pixels is below half a pixel
SECONDS_DIGITS = 3
SCHEMA = 1  # incremented when a key changes its meaning or is removed; keys may be added within a schema
Fractions = tuple[float, float, float, float]  # left, top, width, height as fractions of the frame


def fraction(value: float) -> float:
    """Round a probability or a fraction of the frame to four digits."""
    return round(float(value), DIGITS) + 0.0  # + 0.0 makes 0.0 of the -0.0 that -0.00001 is rounded to


def seconds(value: float) -> float:
    """Round a duration in seconds to the millisecond."""
    return round(value, SECONDS_DIGITS) + 0.0


def score_table(scores: Scores) -> dict[str, float]:
    """Return the seven scores by name."""
    return {emotion: fraction(score) for emotion, score in zip(EMOTIONS, scores, strict=True)}


def box_fractions(box: Box) -> Fractions:
    """Return left, top, width, height; below 0 or above 1 if the face is partly outside of the frame."""
    return (fraction(box.x), fraction(box.y), fraction(box.w), fraction(box.h))


def rfc3339(wall_s: float) -> str:
    """Format seconds since 1970 as `2026-11-21T16:04:05.678Z`."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Missing(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """Range of `seq` that a gap stands for, both ends included; null: unknown."""

    boot: str | None
    first: int | None
    last: int | None


class EventPayload(Struct, frozen=True, kw_only=True):
    """One event. Every event has every key; null: not applicable."""

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
    """One face in front of the camera."""

    face: int
    emotion: str | None
    confidence: float
    since: str
    box: Fractions


class DominantPayload(Struct, frozen=True, kw_only=True):
    """Expression of the dominant face."""

    emotion: str
    confidence: float
    face: int
    since: str


class SummaryPayload(Struct, frozen=True, kw_only=True):
    """Statistics of a time window, without single faces."""

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
    """Response to a request."""

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
    """Faces in front of the camera now."""

    schema: int = SCHEMA
    time: str
    clock: str
    device: str
    camera: str
    faces: tuple[FacePayload, ...]
    dominant: DominantPayload | None
