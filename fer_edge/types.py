"""What crosses from room to room: small frozen values, made once, edited by nobody.

    Frame -> Detection -> Face -> Verdict and Event, and a Window of them -> Message

Two coordinate systems, and one place where they meet (`Box.scaled`): a Detection is in pixels of its frame, everything
after it in fractions of the frame, so that a camera that changes its size in the middle changes nothing downstream.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (h, w, 3) uint8 BGR where nothing else is said
Scores = NDArray[np.float32]  # (7,) float32 in the order of labels.EMOTIONS, sums to 1


class Box(NamedTuple):
    """A rectangle: left, top, width, height. May reach outside the frame."""

    x: float
    y: float
    w: float
    h: float

    def scaled(self, sx: float, sy: float) -> "Box":
        """The same rectangle after both axes are multiplied, x by ``sx`` and y by ``sy``."""
        return Box(self.x * sx, self.y * sy, self.w * sx, self.h * sy)


class Frame(msgspec.Struct, frozen=True, eq=False):
    """One picture from a source."""

    image: Image
    captured_at: float  # seconds, time.monotonic() of the moment it arrived; media time for a file that is analysed
    number: int  # counts up by one for each frame the source gave, so a hole is a dropped frame


class Detection(msgspec.Struct, frozen=True):
    """A rectangle in which a detector sees a face."""

    box: Box  # pixels of the frame
    score: float  # 0 to 1, comparable only within one detector
    landmarks: tuple[tuple[float, float], ...] | None = None  # right eye, left eye, nose, mouth corners; pixels


class RejectReason(StrEnum):
    """Why a face that was found was not given to the network."""

    TOO_SMALL = "too_small"
    DARK = "dark"
    BLURRED = "blurred"
    OUTSIDE = "outside"  # too much of it lies outside the frame
    MASKED = "masked"  # too much of it lies in a blackout zone
    UNREADABLE = "unreadable"  # the network's answer is no numbers


class Quality(NamedTuple):
    """How well a face can be read, as the gates measured it."""

    brightness: float  # mean grey value, 0 to 255
    sharpness: float  # variance of the Laplacian at 48x48


class Face(msgspec.Struct, frozen=True, eq=False):
    """One tracked face as it is in one frame."""

    id: int  # track id, unique within a run, never reused
    box: Box  # fractions of the frame
    first_seen: float  # seconds, monotonic
    last_seen: float  # seconds, monotonic; the time of the frame it was last detected in
    scores: Scores | None  # calibrated probabilities, None where it was not scored
    unscored: RejectReason | None = None  # the reason, exactly where scores is None
    quality: Quality | None = None  # None where size or place alone ruled the face out


class Outcome(StrEnum):
    """What became of one face in one frame; every face seen has exactly one."""

    HELD = "held"  # it has an expression that is above its threshold
    UNSURE = "unsure"  # nothing is above its threshold
    DWELL = "dwell"  # something is, but not for long enough yet
    ARRIVING = "arriving"  # the face itself has not been there for long enough yet
    TOO_SMALL = "too_small"
    DARK = "dark"
    BLURRED = "blurred"
    OUTSIDE = "outside"
    MASKED = "masked"
    UNREADABLE = "unreadable"


class FaceState(msgspec.Struct, frozen=True, eq=False):
    """What is held of one face that is present now."""

    face: int  # track id
    box: Box  # fractions of the frame
    emotion: str | None  # None: a face, but nothing said above its threshold
    confidence: float  # smoothed probability of `emotion`, or of the strongest where that is None
    scores: Scores  # smoothed
    since: float  # seconds, monotonic, when `emotion` was first held
    outcome: Outcome  # of the latest frame


class EventKind(StrEnum):
    APPEARED = "face_appeared"
    CHANGED = "emotion_changed"
    GONE = "face_gone"
    GAP = "gap"


class Event(msgspec.Struct, frozen=True, eq=False):
    """One thing that happened to one face. No topic, no wall clock."""

    kind: EventKind
    at: float  # seconds, monotonic, of the frame (or the tick) that decided it
    face: int
    box: Box  # fractions of the frame, where it was last seen
    emotion: str | None
    confidence: float
    scores: Scores  # smoothed
    previous: str | None = None  # the expression that was held before
    duration_s: float | None = None  # how long what ended had lasted: `previous`, or the visit for face_gone
    reason: str | None = None  # for face_gone: left, camera, stopped


class SummaryWindow(msgspec.Struct, frozen=True):
    """What a closed window of time amounts to. Times of several faces add up, so the seconds may exceed its length."""

    started: float  # seconds, monotonic
    ended: float  # seconds, monotonic
    dwell_s: dict[str, float]  # for each of the seven, seconds in which it was held
    unsure_s: float  # seconds of faces of which nothing was held
    faces: int  # faces that were announced and seen, each once
    coverage: float  # 0 to 1: the part of the window that was watched; 0 for a window without length


class Message(msgspec.Struct, frozen=True):
    """What goes to the broker."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None  # MQTT 5 message expiry interval, None for never
    seq: int | None = None  # its place among its boot's events, from 1; None where it is not an event
    spare: bool = False  # an event that goes first where there is no room
    correlation: bytes | None = None  # MQTT 5 correlation data, of the request that it answers
