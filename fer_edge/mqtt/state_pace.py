"""When what is seen is worth a `state` message: when it has changed, and not too soon after the last. Pure."""

from collections.abc import Sequence

import msgspec

from fer_edge.mqtt.messages import dominant
from fer_edge.types import Verdict

# Confidence wanders with every frame; a tenth is the smallest step that a person or an automation acts on.
CONFIDENCE_STEP = 0.1


class Shown(msgspec.Struct, frozen=True):
    """What the latest message showed, as far as a difference matters."""

    camera: str
    faces: tuple[tuple[int, str | None, float], ...]  # id, emotion, confidence
    dominant: int | None  # the id of the face that speaks for the picture: it may change by its size alone

    def differs(self, other: "Shown") -> bool:
        """Whether a subscriber would want to know."""
        if (self.camera, self.dominant, len(self.faces)) != (other.camera, other.dominant, len(other.faces)):
            return True
        return any(
            (face, emotion) != (other_face, other_emotion) or abs(confidence - other_confidence) >= CONFIDENCE_STEP
            for (face, emotion, confidence), (other_face, other_emotion, other_confidence) in zip(
                self.faces, other.faces, strict=True
            )
        )


class StatePace:
    """Decides frame by frame; what is held back is not lost, the next frame asks again. The main thread owns it."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._shown: Shown | None = None
        self._at = float("-inf")

    def forget(self) -> None:
        """Makes the next state due, whatever was shown and when."""
        self._shown, self._at = None, float("-inf")

    def is_due(self, verdicts: Sequence[Verdict], camera: str, now: float) -> bool:
        """Whether to publish now; True counts as published."""
        top = dominant(verdicts)
        faces = tuple((one.face, one.emotion, one.confidence) for one in verdicts)
        shows = Shown(camera, faces, None if top is None else top.face)
        if now - self._at < self.interval_s or (self._shown is not None and not shows.differs(self._shown)):
            return False
        self._shown, self._at = shows, now
        return True
