"""The same face in one frame and the next: boxes get an identity. Everything in seconds, nothing in frames.

A face is expected where it was, moved on at the velocity it had. Detections and expectations are paired greedily,
largest overlap first: faces are few and far between beside what an optimal assignment is made for, and on the stories
in the tests both give the same. What is left over is tried again by distance, for a face that has just come has no
velocity yet, and somebody walking past a camera goes nine face widths a second.
"""

import math
from collections.abc import Sequence

import msgspec

from fer_edge.config.model import TrackSettings
from fer_edge.types import Box
from fer_edge.vision.geometry import centre_distance, iou, moved

LEAST_IOU = 1e-6  # boxes that do not touch are no match, even where the settings ask for no overlap
VELOCITY_S = 0.3  # time constant of the average over a face's velocity: what a detector's jitter is smoothed by
MAX_EXTRAPOLATION_S = 1.0  # how long a face out of sight is expected to go on as it went; then it is expected to stand
MAX_SPEED_WIDTHS_S = 9.0  # fastest face, in its own widths a second: 1.4 m/s of walking over 0.16 m
MAX_JUMP_WIDTHS = 1.5  # furthest that a face is looked for by distance, in its own widths
JUMP_MAX_GAP_S = 0.3  # longest out of sight for that
JUMP_MAX_SCALE = 1.5  # most that its width may have changed meanwhile
TENTATIVE_MAX_GAP_S = (
    0.5  # how long a face that was seen only once may be out of sight: a false alarm shall not grow old
)
GAP_PER_AGE = 2.0  # seconds more of that for each second it was seen, until `track.lost_s`


class Track(msgspec.Struct, frozen=True):
    """One face over time."""

    id: int
    box: Box  # fractions of the frame: as detected, or as expected where it was not looked for
    first_seen: float  # seconds, monotonic
    last_seen: float  # seconds, monotonic, of the latest detection
    vx: float = 0.0  # fractions of the frame a second
    vy: float = 0.0

    def expected(self, now: float) -> Box:
        """Where the face should be at ``now``."""
        gap_s = min(now - self.last_seen, MAX_EXTRAPOLATION_S)
        return moved(self.box, self.vx * gap_s, self.vy * gap_s)


class Tracker:
    """All faces that are or just were in sight. Not thread-safe; the main thread owns it. Ids are never used again."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracks: tuple[Track, ...] = ()  # each with the box of its latest detection
        self._latest = -math.inf  # when faces were last looked for
        self._next_id = 1

    def update(self, boxes: Sequence[Box], now: float, low_score: Sequence[Box] = ()) -> tuple[Track, ...]:
        """The faces detected at ``now``, one for each of ``boxes`` (fractions of the frame) and in their order.

        Behind them those that only a box of ``low_score`` shows: such a box continues a face and begins none (Zhang et
        al. 2022, "ByteTrack").
        """
        alive = [track for track in self._tracks if now - track.last_seen <= self._patience_s(track)]
        pairs = self._pairs(alive, boxes, now) if alive and boxes else {}
        seen = tuple(
            [_update(alive[pairs[b]], box, now) if b in pairs else self._start(box, now) for b, box in enumerate(boxes)]
        )
        left = _without(alive, pairs)
        if low_score and left:
            again = self._again(left, low_score, now)
            seen += tuple([_update(left[t], low_score[b], now) for b, t in again.items()])
            left = _without(left, again)
        self._tracks = (*seen, *left)
        self._latest = now
        return seen

    def predict(self, now: float) -> tuple[Track, ...]:
        """The faces of the latest `update`, each where it is expected at ``now``, for a frame without detection."""
        return tuple(
            msgspec.structs.replace(track, box=track.expected(now))
            for track in self._tracks
            if track.last_seen == self._latest
        )

    def forget(self) -> None:
        """Nobody was looked for meanwhile: whoever comes now is somebody new, under a number of its own."""
        self._tracks, self._latest = (), -math.inf

    def _patience_s(self, track: Track) -> float:
        """How long this face may be out of sight and still be the same.

        One that was there when faces were last looked for was not missed yet, however long ago that is: where they are
        looked for twice a second or less, no face could grow old otherwise.
        """
        if track.last_seen == self._latest:
            return self._settings.lost_s
        return min(self._settings.lost_s, TENTATIVE_MAX_GAP_S + GAP_PER_AGE * (track.last_seen - track.first_seen))

    def _pairs(self, tracks: Sequence[Track], boxes: Sequence[Box], now: float) -> dict[int, int]:
        """For the index of each detection that continues a track, the index of that track."""
        expected = [track.expected(now) for track in tracks]
        overlaps = [(iou(box, place), b, t) for b, box in enumerate(boxes) for t, place in enumerate(expected)]
        least = max(self._settings.iou, LEAST_IOU)
        pairs = _best_first([pair for pair in overlaps if pair[0] >= least])
        if len(pairs) == min(len(boxes), len(tracks)):
            return pairs
        taken = set(pairs.values())
        leaps = [
            (-distance, b, t)
            for b, box in enumerate(boxes)
            for t, track in enumerate(tracks)
            if b not in pairs and t not in taken and (distance := _leap(track, expected[t], box, now)) is not None
        ]
        return pairs | _best_first(leaps)

    def _again(self, tracks: Sequence[Track], low_score: Sequence[Box], now: float) -> dict[int, int]:
        """For the index of each low_score box that continues a track, the index of that track.

        Where the face is expected, of one that was there a moment ago and for longer than a false alarm.
        """
        fit = [t for t, track in enumerate(tracks) if self._is_followed(track, now)]
        overlaps = [(iou(box, tracks[t].expected(now)), b, t) for b, box in enumerate(low_score) for t in fit]
        return _best_first([pair for pair in overlaps if pair[0] >= max(self._settings.iou, LEAST_IOU)])

    def _is_followed(self, track: Track, now: float) -> bool:
        lately = now - track.last_seen <= JUMP_MAX_GAP_S or track.last_seen == self._latest
        return lately and track.last_seen - track.first_seen >= TENTATIVE_MAX_GAP_S

    def _start(self, box: Box, now: float) -> Track:
        track = Track(self._next_id, box, first_seen=now, last_seen=now)
        self._next_id += 1
        return track


def _best_first(candidates: list[tuple[float, int, int]]) -> dict[int, int]:
    """Pairs of (value, box, track) as {box: track}, each box and track at most once, the highest value first."""
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, b, t in sorted(candidates, reverse=True):
        if b not in pairs and t not in taken:
            pairs[b] = t
            taken.add(t)
    return pairs


def _without(tracks: Sequence[Track], pairs: dict[int, int]) -> list[Track]:
    """Those of ``tracks`` that no box of ``pairs`` {box: track} continues."""
    taken = set(pairs.values())
    return [track for t, track in enumerate(tracks) if t not in taken]


def _leap(track: Track, expected: Box, box: Box, now: float) -> float | None:
    """Distance in face widths from where the face is expected to ``box``, None where it cannot have gone there."""
    gap_s = now - track.last_seen
    ratio = box.w / expected.w if expected.w > 0 else math.inf
    if gap_s > JUMP_MAX_GAP_S or not 1 / JUMP_MAX_SCALE <= ratio <= JUMP_MAX_SCALE:
        return None
    distance = centre_distance(expected, box)
    return distance if distance <= min(MAX_JUMP_WIDTHS, MAX_SPEED_WIDTHS_S * gap_s) else None


def _update(track: Track, box: Box, now: float) -> Track:
    """``track`` after it was detected in ``box`` again; its velocity is averaged with a weight that fades in time.

    The weights sum to 1 from the first step on, so a new face has a velocity at once and a jittery one a calm one soon.
    """
    gap_s = now - track.last_seen
    if gap_s <= 0:
        return msgspec.structs.replace(track, box=box)
    share = math.expm1(-gap_s / VELOCITY_S) / math.expm1(-(now - track.first_seen) / VELOCITY_S)
    vx = (box.x + box.w / 2 - track.box.x - track.box.w / 2) / gap_s
    vy = (box.y + box.h / 2 - track.box.y - track.box.h / 2) / gap_s
    vx = track.vx + share * (vx - track.vx)
    vy = track.vy + share * (vy - track.vy)
    return Track(track.id, box, track.first_seen, now, vx, vy)
