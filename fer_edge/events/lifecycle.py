"""Track life cycle: the scored faces of each frame in; appeared, changed and gone events out."""

from collections.abc import Sequence

import msgspec
import numpy as np

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.hysteresis import (
    GRACE_S,
    EmotionState,
    Thresholds,
    decay_emotion,
    resolve_thresholds,
    update_emotion,
)
from fer_edge.events.smoothing import LONGEST_STEP_S
from fer_edge.types import Event, EventKind, Face, FaceState, Outcome, Scores

# Scores of a track that was never scored, or too long ago: uniform.
UNKNOWN_SCORES = np.full(len(EMOTIONS), 1.0 / len(EMOTIONS), np.float32)
UNKNOWN_SCORES.flags.writeable = False


class TrackState(msgspec.Struct, frozen=True, eq=False):
    """State of one track; replaced at each frame it is in, dropped when it is gone."""

    face: Face  # in its latest frame
    at: float  # seconds, monotonic, of that frame
    emotion: EmotionState
    outcome: Outcome  # of that frame
    present_s: float  # seconds in sight; a gap counts as LONGEST_STEP_S at most
    announced: bool


def open_track(face: Face, now: float, thresholds: Thresholds) -> TrackState:
    """Return the state of a new track."""
    return _update(face, now, thresholds, emotion=EmotionState(since=face.first_seen), present_s=0.0, announced=False)


def update_track(track: TrackState, face: Face, now: float, thresholds: Thresholds) -> TrackState:
    """Return the state after one more frame with the face in it."""
    present_s = track.present_s + min(max(now - track.at, 0.0), LONGEST_STEP_S)
    return _update(face, now, thresholds, emotion=track.emotion, present_s=present_s, announced=track.announced)


def events_between(before: TrackState | None, after: TrackState) -> tuple[Event, ...]:
    """Return the event of the frame that turned ``before`` into ``after``: one or none."""
    if not after.announced:
        return ()
    if before is None or not before.announced:
        return (_event(EventKind.APPEARED, after, after.at),)
    old, new = before.emotion, after.emotion
    if old.held == new.held:
        return ()
    changed = _event(EventKind.CHANGED, after, after.at)
    return (msgspec.structs.replace(changed, previous=_name(old.held), duration_s=after.at - old.since),)


def close_track(track: TrackState, now: float, reason: str) -> tuple[Event, ...]:
    """Return the `face_gone` event of an announced track. Its duration ends when the face was last detected."""
    if not track.announced:
        return ()
    duration_s = track.face.last_seen - track.face.first_seen
    return (msgspec.structs.replace(_event(EventKind.GONE, track, now), duration_s=duration_s, reason=reason),)


def face_state(track: TrackState) -> FaceState:
    """Return the published state of a track."""
    scores = _scores(track.emotion)
    return FaceState(
        face=track.face.id,
        box=track.face.box,
        emotion=_name(track.emotion.held),
        confidence=_confidence(track.emotion, scores),
        scores=scores,
        since=track.emotion.since,
        outcome=track.outcome,
    )


class Decision(msgspec.Struct, frozen=True):
    """Result of one frame, or of a tick between frames."""

    events: tuple[Event, ...]
    states: tuple[FaceState, ...]  # of all present faces: in this frame, or detected less than lost_s ago
    in_frame: tuple[FaceState, ...]  # of the faces of this frame alone, in their order

    @property
    def announced(self) -> tuple[FaceState, ...]:
        """Return the states that `state` publishes: of faces that have appeared and are not gone."""
        return tuple(one for one in self.states if one.outcome is not Outcome.ARRIVING)


class EventDetector:
    """Detects the events of all tracks.

    Not thread-safe; the main thread owns it. ``now`` is monotonic seconds and does not run backwards. A face is
    identified by its track id.
    """

    def __init__(self, settings: DecideSettings, lost_s: float) -> None:
        self._tracks: dict[int, TrackState] = {}
        self.reconfigure(settings, lost_s)

    def update(self, faces: Sequence[Face], now: float) -> Decision:
        """Process the frame of time ``now`` with ``faces`` in it, each id once.

        A track that is not in it is closed once ``lost_s`` have passed since its last detection. Without faces this
        is also the tick between frames, which closes tracks in time while the camera delivers none.
        """
        seen = {face.id for face in faces}
        events = self._drop_gone(seen, now)
        for face in faces:
            before = self._tracks.get(face.id)
            after = (
                open_track(face, now, self._thresholds)
                if before is None
                else update_track(before, face, now, self._thresholds)
            )
            self._tracks[face.id] = after
            events.extend(events_between(before, after))
        states = {track_id: face_state(track) for track_id, track in self._tracks.items()}
        return Decision(
            events=tuple(events),
            states=tuple(states.values()),
            in_frame=tuple(states[face.id] for face in faces),
        )

    def close(self, now: float, reason: str) -> tuple[Event, ...]:
        """Close every track for ``reason``: `stopped`, `camera` or `paused`."""
        events = [event for track in self._tracks.values() for event in close_track(track, now, reason)]
        self._tracks.clear()
        return tuple(events)

    def reconfigure(self, settings: DecideSettings, lost_s: float) -> None:
        """Change the settings. Averages are kept; the next frame is decided by the new thresholds.

        A held expression stays held if it reaches its new leave threshold; else it ends after the new dwell.
        """
        self._thresholds = resolve_thresholds(settings, lost_s)

    def _drop_gone(self, seen: set[int], now: float) -> list[Event]:
        """Drop the tracks that are gone by now; return their events."""
        gone = [
            track_id
            for track_id, track in self._tracks.items()
            if track_id not in seen and now - track.face.last_seen >= self._thresholds.lost_s - GRACE_S
        ]
        return [event for track_id in gone for event in close_track(self._tracks.pop(track_id), now, "left")]


def _update(  # noqa: PLR0913 - fields of the previous state: replace() costs three times as much
    face: Face, now: float, thresholds: Thresholds, *, emotion: EmotionState, present_s: float, announced: bool
) -> TrackState:
    """Return the track with this frame's face and expression; announced once it has been present long enough."""
    scores = face.scores
    emotion = (
        decay_emotion(emotion, now, thresholds) if scores is None else update_emotion(emotion, scores, now, thresholds)
    )
    announced = announced or _has_arrived(min(present_s, face.last_seen - face.first_seen), emotion, thresholds)
    outcome = _outcome(face, emotion) if announced else Outcome.ARRIVING
    return TrackState(face, now, emotion, outcome, present_s, announced)


def _has_arrived(span_s: float, emotion: EmotionState, thresholds: Thresholds) -> bool:
    """Return whether a track that was present for ``span_s`` is to be announced.

    Predicted boxes keep a track present, but only a detection proves it: the span is the shorter of both. The
    announcement waits for a dwell that ends within twice `arrive_s`: else the face would be announced as unsure and
    change a moment later.
    """
    if span_s < thresholds.arrive_s - GRACE_S:
        return False
    if emotion.candidate is None or emotion.candidate == emotion.held:
        return True
    return span_s + thresholds.dwell_s - emotion.candidate_s > 2 * thresholds.arrive_s + GRACE_S


def _outcome(face: Face, emotion: EmotionState) -> Outcome:
    """Return the outcome of an announced face in this frame."""
    if face.scores is None:
        assert face.unscored is not None, "a face without scores has a reason"
        return Outcome(face.unscored.value)
    if emotion.candidate is None:
        return Outcome.UNSURE
    return Outcome.HELD if emotion.candidate == emotion.held else Outcome.DWELL


def _event(kind: EventKind, track: TrackState, at: float) -> Event:
    """Return an event with the published state of the track."""
    held = face_state(track)
    return Event(kind, at, held.face, held.box, held.emotion, held.confidence, held.scores)


def _name(held: int | None) -> str | None:
    return None if held is None else EMOTIONS[held]


def _scores(emotion: EmotionState) -> Scores:
    return UNKNOWN_SCORES if emotion.average is None else emotion.average.mean.astype(np.float32)


def _confidence(emotion: EmotionState, scores: Scores) -> float:
    return float(scores.max() if emotion.held is None else scores[emotion.held])
