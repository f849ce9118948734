"""How numbers and times look in messages: as many digits as mean something, and never `-0.0`."""

from datetime import UTC, datetime

from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.payloads import Fractions
from fer_edge.types import Box, Scores

DIGITS = 4  # of probabilities and of fractions of the frame: 0.0001 of 4096 pixels is below half a pixel
SECONDS_DIGITS = 3


def fraction(value: float) -> float:
    """A probability or a fraction of the frame, to four digits."""
    return round(float(value), DIGITS) + 0.0  # + 0.0 makes 0.0 of the -0.0 that -0.00001 is rounded to


def seconds(value: float) -> float:
    """A duration in seconds, to the millisecond."""
    return round(value, SECONDS_DIGITS) + 0.0


def score_table(scores: Scores) -> dict[str, float]:
    """The seven scores by name."""
    return {emotion: fraction(score) for emotion, score in zip(EMOTIONS, scores, strict=True)}


def box_fractions(box: Box) -> Fractions:
    """Left, top, width, height; a face that is partly outside reaches below 0 or beyond 1."""
    return (fraction(box.x), fraction(box.y), fraction(box.w), fraction(box.h))


def rfc3339(wall_s: float) -> str:
    """Seconds since 1970 as `2026-11-21T16:04:05.678Z`."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
