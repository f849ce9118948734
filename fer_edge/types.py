"""Domain types: small frozen values passed between packages.

    Frame -> Detection -> Face -> FaceState and Event, SummaryWindow -> Message

Coordinates: a Detection is in pixels of its frame, everything after it in fractions of the frame, so that a change of
the frame size has no effect downstream. `Box.scaled` converts.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (h, w, 3) uint8 BGR unless stated otherwise
Scores = NDArray[np.float32]  # (7,) float32 in the order of emotions.EMOTIONS, sums to 1


class Box(NamedTuple):
    """Rectangle: left, top, width, height. May extend outside the frame."""

    x: float
    y: float
    w: float
    h: float

    def scaled(self, sx: float, sy: float) -> "Box":
        """The rectangle with x multiplied by ``sx`` and y by ``sy``."""
        return Box(self.x * sx, self.y * sy, self.w * sx, self.h * sy)


class Frame(msgspec.Struct, frozen=True, eq=False):
    """One frame from a source."""

    image: Image
    captured_at: float  # seconds, time.monotonic() of its arrival; media time when a file is analysed
    number: int  # consecutive per source, so that a gap is a dropped frame


class Detection(msgspec.Struct, frozen=True):
    """Face found by a detector."""

    box: Box  # pixels of the frame
    score: float  # 0 to 1, comparable only within one detector
    landmarks: tuple[tuple[float, float], ...] | None = None  # right eye, left eye, nose, mouth corners; pixels


class RejectReason(StrEnum):
    """Reasons for not classifying a detected face."""

    TOO_SMALL = "too_small"
    DARK = "dark"
    BLURRED = "blurred"
    OUTSIDE = "outside"  # too much of it lies outside the frame
    MASKED = "masked"  # too much of it lies in a privacy zone
    UNREADABLE = "unreadable"  # the network's output is not finite


class Quality(NamedTuple):
    """Image quality of a face, measured by the quality filter."""

    brightness: float  # mean grey value, 0 to 255
    sharpness: float  # variance of the Laplacian at 48x48


class Face(msgspec.Struct, frozen=True, eq=False):
    """Tracked face in one frame."""

    id: int  # track id, unique within a run, never reused
    box: Box  # fractions of the frame
    first_seen: float  # seconds, monotonic
    last_seen: float  # seconds, monotonic; the time of the frame it was last detected in
    scores: Scores | None  # calibrated probabilities, None if it was not classified
    unscored: RejectReason | None = None  # the reason if and only if scores is None
    quality: Quality | None = None  # None if the face was rejected by size or position


class Outcome(StrEnum):
    """Result of one face in one frame; every face has exactly one."""

    HELD = "held"  # it has an expression above its threshold
    UNSURE = "unsure"  # nothing is above its threshold
    DWELL = "dwell"  # an expression is, but not for `dwell_s` yet
    ARRIVING = "arriving"  # the face is not present for `arrive_s` yet
    TOO_SMALL = "too_small"
    DARK = "dark"
    BLURRED = "blurred"
    OUTSIDE = "outside"
    MASKED = "masked"
    UNREADABLE = "unreadable"


class FaceState(msgspec.Struct, frozen=True, eq=False):
    """Current state of one present face."""

    face: int  # track id
    box: Box  # fractions of the frame
    emotion: str | None  # None if no expression is above its threshold
    confidence: float  # smoothed probability of `emotion`, or the highest one if that is None
    scores: Scores  # smoothed
    since: float  # seconds, monotonic, when `emotion` was first held
    outcome: Outcome  # of the latest frame


class EventKind(StrEnum):
    APPEARED = "face_appeared"
    CHANGED = "emotion_changed"
    GONE = "face_gone"
    GAP = "gap"


class Event(msgspec.Struct, frozen=True, eq=False):
    """Event of one face, without topic and wall-clock time."""

    kind: EventKind
    at: float  # seconds, monotonic, of the frame or tick that caused it
    face: int
    box: Box  # fractions of the frame, where it was last seen
    emotion: str | None
    confidence: float
    scores: Scores  # smoothed
    previous: str | None = None  # the expression that was held before
    duration_s: float | None = None  # duration of `previous`, or of the track for face_gone
    reason: str | None = None  # for face_gone: left, camera, paused, stopped, restart


class SummaryWindow(msgspec.Struct, frozen=True):
    """Statistics of one summary window. Times of several faces add up and may exceed its length."""

    started: float  # seconds, monotonic
    ended: float  # seconds, monotonic
    dwell_s: dict[str, float]  # for each of the seven, seconds in which it was held
    unsure_s: float  # seconds of faces without an expression
    faces: int  # announced faces, each counted once
    coverage: float  # 0 to 1: share of the window with frames; 0 for an empty window


class Message(msgspec.Struct, frozen=True):
    """MQTT message to publish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None  # MQTT 5 message expiry interval, None for never
    seq: int | None = None  # number among the run's events, from 1; None if it is not an event
    droppable: bool = False  # an event that is dropped first when the queue is full
    correlation: bytes | None = None  # MQTT 5 correlation data of the request
