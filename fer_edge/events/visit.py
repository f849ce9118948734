"""One face from its first frame to its last: whether it was announced, and what is said of it."""

import msgspec
import numpy as np

from fer_edge.emotions import EMOTIONS
from fer_edge.events.hysteresis import Reading, read, unread
from fer_edge.events.rules import GRACE_S, Rules
from fer_edge.events.smoothing import LONGEST_STEP_S
from fer_edge.types import Event, EventKind, Face, Outcome, Scores, Verdict

# Said of a face that was never scored, or too long ago: all seven are as likely.
NOTHING_KNOWN = np.full(len(EMOTIONS), 1.0 / len(EMOTIONS), np.float32)
NOTHING_KNOWN.flags.writeable = False


class Visit(msgspec.Struct, frozen=True, eq=False):
    """All that is kept of one face; replaced at each frame it is in, dropped when it is gone."""

    face: Face  # as it was in the latest frame it was in
    at: float  # seconds, monotonic, of that frame
    reading: Reading
    outcome: Outcome  # of that frame
    present_s: float  # how long it was seen, with gaps counted as LONGEST_STEP_S at most
    announced: bool


def arrived(face: Face, now: float, rules: Rules) -> Visit:
    """The visit of a face that was not there before."""
    return _seen(face, now, rules, reading=Reading(since=face.first_seen), present_s=0.0, announced=False)


def stayed(visit: Visit, face: Face, now: float, rules: Rules) -> Visit:
    """The visit after one more frame with the face in it."""
    present_s = visit.present_s + min(max(now - visit.at, 0.0), LONGEST_STEP_S)
    return _seen(face, now, rules, reading=visit.reading, present_s=present_s, announced=visit.announced)


def told(before: Visit | None, after: Visit) -> tuple[Event, ...]:
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


def ended(visit: Visit, now: float, reason: str) -> tuple[Event, ...]:
    """The farewell of a face; none where it was never announced. Its duration ends when it was last detected."""
    if not visit.announced:
        return ()
    duration_s = visit.face.last_seen - visit.face.first_seen
    return (msgspec.structs.replace(_event(EventKind.GONE, visit, now), duration_s=duration_s, reason=reason),)


def verdict(visit: Visit) -> Verdict:
    """What is held of the face now."""
    scores = _scores(visit.reading)
    return Verdict(
        face=visit.face.id,
        box=visit.face.box,
        emotion=_name(visit.reading.held),
        confidence=_confidence(visit.reading, scores),
        scores=scores,
        since=visit.reading.since,
        outcome=visit.outcome,
    )


def _seen(  # noqa: PLR0913 - what is kept of the frame before, one by one: replace() costs three times as much
    face: Face, now: float, rules: Rules, *, reading: Reading, present_s: float, announced: bool
) -> Visit:
    """The visit with this frame's face, its reading, and whether it has been there for long enough by now."""
    scores = face.scores
    reading = unread(reading, now, rules) if scores is None else read(reading, scores, now, rules)
    announced = announced or _has_arrived(min(present_s, face.last_seen - face.first_seen), reading, rules)
    outcome = _outcome(face, reading) if announced else Outcome.ARRIVING
    return Visit(face, now, reading, outcome, present_s, announced)


def _has_arrived(span_s: float, reading: Reading, rules: Rules) -> bool:
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


def _outcome(face: Face, reading: Reading) -> Outcome:
    """What became of an announced face in this frame."""
    if face.scores is None:
        assert face.unscored is not None, "a face without scores has a reason"
        return Outcome(face.unscored.value)
    if reading.candidate is None:
        return Outcome.UNSURE
    return Outcome.HELD if reading.candidate == reading.held else Outcome.DWELL


def _event(kind: EventKind, visit: Visit, at: float) -> Event:
    """An event of the face as it is held now."""
    held = verdict(visit)
    return Event(kind, at, held.face, held.box, held.emotion, held.confidence, held.scores)


def _name(held: int | None) -> str | None:
    return None if held is None else EMOTIONS[held]


def _scores(reading: Reading) -> Scores:
    return NOTHING_KNOWN if reading.evidence is None else reading.evidence.mean.astype(np.float32)


def _confidence(reading: Reading, scores: Scores) -> float:
    return float(scores.max() if reading.held is None else scores[reading.held])
