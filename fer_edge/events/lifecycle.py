"""Who came, whose expression changed, who left: the scored faces of each frame in, events out."""

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

# Said of a face that was never scored, or too long ago: all seven are as likely.
NOTHING_KNOWN = np.full(len(EMOTIONS), 1.0 / len(EMOTIONS), np.float32)
NOTHING_KNOWN.flags.writeable = False


class TrackState(msgspec.Struct, frozen=True, eq=False):
    """All that is kept of one face; replaced at each frame it is in, dropped when it is gone."""

    face: Face  # as it was in the latest frame it was in
    at: float  # seconds, monotonic, of that frame
    reading: EmotionState
    outcome: Outcome  # of that frame
    present_s: float  # how long it was seen, with gaps counted as LONGEST_STEP_S at most
    announced: bool


def open_track(face: Face, now: float, rules: Thresholds) -> TrackState:
    """The visit of a face that was not there before."""
    return _seen(face, now, rules, reading=EmotionState(since=face.first_seen), present_s=0.0, announced=False)


def update_track(visit: TrackState, face: Face, now: float, rules: Thresholds) -> TrackState:
    """The visit after one more frame with the face in it."""
    present_s = visit.present_s + min(max(now - visit.at, 0.0), LONGEST_STEP_S)
    return _seen(face, now, rules, reading=visit.reading, present_s=present_s, announced=visit.announced)


def events_between(before: TrackState | None, after: TrackState) -> tuple[Event, ...]:
    """What a frame that turned ``before`` into ``after`` has to tell: one event or none."""
    if not after.announced:
        return ()
    if before is None or not before.announced:
        return (_event(EventKind.APPEARED, after, after.at),)
    old, new = before.reading, after.reading
    if old.held == new.held:
        return ()
    changed = _event(EventKind.CHANGED, after, after.at)
    return (msgspec.structs.replace(changed, previous=_name(old.held), duration_s=after.at - old.since),)


def close_track(visit: TrackState, now: float, reason: str) -> tuple[Event, ...]:
    """The farewell of a face; none where it was never announced. Its duration ends when it was last detected."""
    if not visit.announced:
        return ()
    duration_s = visit.face.last_seen - visit.face.first_seen
    return (msgspec.structs.replace(_event(EventKind.GONE, visit, now), duration_s=duration_s, reason=reason),)


def face_state(visit: TrackState) -> FaceState:
    """What is held of the face now."""
    scores = _scores(visit.reading)
    return FaceState(
        face=visit.face.id,
        box=visit.face.box,
        emotion=_name(visit.reading.held),
        confidence=_confidence(visit.reading, scores),
        scores=scores,
        since=visit.reading.since,
        outcome=visit.outcome,
    )


def _seen(  # noqa: PLR0913 - what is kept of the frame before, one by one: replace() costs three times as much
    face: Face, now: float, rules: Thresholds, *, reading: EmotionState, present_s: float, announced: bool
) -> TrackState:
    """The visit with this frame's face, its reading, and whether it has been there for long enough by now."""
    scores = face.scores
    reading = decay_emotion(reading, now, rules) if scores is None else update_emotion(reading, scores, now, rules)
    announced = announced or _has_arrived(min(present_s, face.last_seen - face.first_seen), reading, rules)
    outcome = _outcome(face, reading) if announced else Outcome.ARRIVING
    return TrackState(face, now, reading, outcome, present_s, announced)


def _has_arrived(span_s: float, reading: EmotionState, rules: Thresholds) -> bool:
    """Whether a face that was there for ``span_s`` is to be announced.

    Carried boxes keep a face present, but only a detection proves it: the span is the shorter of both. A dwell that
    will be over before the face was there for twice `arrive_s` is waited for: else it would be announced as unsure,
    and a moment later once more with its expression.
    """
    if span_s < rules.arrive_s - GRACE_S:
        return False
    if reading.candidate is None or reading.candidate == reading.held:
        return True
    return span_s + rules.dwell_s - reading.candidate_s > 2 * rules.arrive_s + GRACE_S


def _outcome(face: Face, reading: EmotionState) -> Outcome:
    """What became of an announced face in this frame."""
    if face.scores is None:
        assert face.unscored is not None, "a face without scores has a reason"
        return Outcome(face.unscored.value)
    if reading.candidate is None:
        return Outcome.UNSURE
    return Outcome.HELD if reading.candidate == reading.held else Outcome.DWELL


def _event(kind: EventKind, visit: TrackState, at: float) -> Event:
    """An event of the face as it is held now."""
    held = face_state(visit)
    return Event(kind, at, held.face, held.box, held.emotion, held.confidence, held.scores)


def _name(held: int | None) -> str | None:
    return None if held is None else EMOTIONS[held]


def _scores(reading: EmotionState) -> Scores:
    return NOTHING_KNOWN if reading.evidence is None else reading.evidence.mean.astype(np.float32)


def _confidence(reading: EmotionState, scores: Scores) -> float:
    return float(scores.max() if reading.held is None else scores[reading.held])


class Decision(msgspec.Struct, frozen=True):
    """What one frame, or the time between frames, amounts to."""

    events: tuple[Event, ...]
    verdicts: tuple[FaceState, ...]  # of all faces that are present, in this frame or seen less than lost_s ago
    in_frame: tuple[
        FaceState, ...
    ]  # of the faces of this very frame, one each: their outcomes sum up to the faces seen

    @property
    def announced(self) -> tuple[FaceState, ...]:
        """The verdicts that `state` shows: of faces that have been announced and have not been said to be gone."""
        return tuple(one for one in self.verdicts if one.outcome is not Outcome.ARRIVING)


class EventDetector:
    """Follows each face and says what happened to it.

    Not thread-safe; the main thread owns it. ``now`` is monotonic seconds and does not run backwards. A face is
    known by its track id; what is kept of it goes when it does.
    """

    def __init__(self, settings: DecideSettings, lost_s: float) -> None:
        self._visits: dict[int, TrackState] = {}
        self.reconfigure(settings, lost_s)

    def update(self, faces: Sequence[Face], now: float) -> Decision:
        """What follows from a frame of the moment ``now`` with ``faces`` in it, each id once.

        A face that is not in it ends once ``lost_s`` have passed since it was last detected. With no faces at all
        this is also the tick that a camera without frames needs, so that its faces end in time.
        """
        seen = {face.id for face in faces}
        events = self._ended(seen, now)
        for face in faces:
            before = self._visits.get(face.id)
            after = (
                open_track(face, now, self._rules) if before is None else update_track(before, face, now, self._rules)
            )
            self._visits[face.id] = after
            events.extend(events_between(before, after))
        verdicts = {track: face_state(visit) for track, visit in self._visits.items()}
        return Decision(
            events=tuple(events),
            verdicts=tuple(verdicts.values()),
            in_frame=tuple(verdicts[face.id] for face in faces),
        )

    def close(self, now: float, reason: str) -> tuple[Event, ...]:
        """The end of every face, for ``reason`` `stopped` or `camera`; nobody is left, and it can go on afresh."""
        events = [event for visit in self._visits.values() for event in close_track(visit, now, reason)]
        self._visits.clear()
        return tuple(events)

    def reconfigure(self, settings: DecideSettings, lost_s: float) -> None:
        """Goes on with other settings: all evidence stays, the next frame's verdicts are derived by the new rules.

        What is held stays held where it reaches its new leave threshold; else it is given up after the new dwell.
        """
        self._rules = resolve_thresholds(settings, lost_s)

    def _ended(self, seen: set[int], now: float) -> list[Event]:
        """The events of the faces that are gone by now, which are dropped."""
        gone = [
            track
            for track, visit in self._visits.items()
            if track not in seen and now - visit.face.last_seen >= self._rules.lost_s - GRACE_S
        ]
        return [event for track in gone for event in close_track(self._visits.pop(track), now, "left")]
