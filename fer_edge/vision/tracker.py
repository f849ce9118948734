"""Multi-face tracker: assigns ids to detections over time. Everything in seconds, nothing in frames.

The position of a track is predicted from its velocity. Detections are matched to predictions greedily by IoU: faces are
few and far apart, and in all tests an optimal assignment gives the same result. Unmatched detections are then matched
by distance, because a new track has no velocity yet, and a person walking past a camera moves nine face widths per
second.
"""

import math
from collections.abc import Sequence

import msgspec

from fer_edge.config.model import TrackSettings
from fer_edge.types import Box
from fer_edge.vision.geometry import centre_distance, iou, moved

LEAST_IOU = 1e-6  # boxes without overlap never match, even if `track.iou` is 0
VELOCITY_S = 0.3  # time constant of the velocity average, which smooths detector jitter
MAX_EXTRAPOLATION_S = 1.0  # longest extrapolation of a lost track; then its prediction stands still
MAX_SPEED_WIDTHS_S = 9.0  # fastest face, in its own widths per second: walking at 1.4 m/s over 0.16 m
MAX_JUMP_WIDTHS = 1.5  # largest distance match, in face widths
JUMP_MAX_GAP_S = 0.3  # longest gap for a distance match
JUMP_MAX_SCALE = 1.5  # largest ratio of widths in a distance match
TENTATIVE_MAX_GAP_S = 0.5  # longest gap of a track with a single detection, likely a false positive
GAP_PER_AGE = 2.0  # seconds added to it per second of tracking, up to `track.lost_s`


class Track(msgspec.Struct, frozen=True):
    """One face over time."""

    id: int
    box: Box  # fractions of the frame: detected, or predicted in a frame without detection
    first_seen: float  # seconds, monotonic
    last_seen: float  # seconds, monotonic, of the latest detection
    vx: float = 0.0  # fractions of the frame per second
    vy: float = 0.0

    def predicted(self, now: float) -> Box:
        """Predicted box at ``now``."""
        gap_s = min(now - self.last_seen, MAX_EXTRAPOLATION_S)
        return moved(self.box, self.vx * gap_s, self.vy * gap_s)


class Tracker:
    """Current tracks, including those in a gap. Not thread-safe; the main thread owns it. Ids are never reused."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracks: tuple[Track, ...] = ()  # each with the box of its latest detection
        self._latest = -math.inf  # time of the latest detection run
        self._next_id = 1

    def update(self, boxes: Sequence[Box], now: float, low_score: Sequence[Box] = ()) -> tuple[Track, ...]:
        """Update with the detections at ``now`` (fractions of the frame); return one track per box, in their order.

        Tracks that only a box of ``low_score`` continues follow; such a box never starts a track (Zhang et al. 2022,
        "ByteTrack").
        """
        current = [track for track in self._tracks if now - track.last_seen <= self._max_gap_s(track)]
        pairs = self._match(current, boxes, now) if current and boxes else {}
        detected = tuple(
            [
                _update(current[pairs[b]], box, now) if b in pairs else self._start(box, now)
                for b, box in enumerate(boxes)
            ]
        )
        left = _without(current, pairs)
        if low_score and left:
            continued = self._match_low_score(left, low_score, now)
            detected += tuple([_update(left[t], low_score[b], now) for b, t in continued.items()])
            left = _without(left, continued)
        self._tracks = (*detected, *left)
        self._latest = now
        return detected

    def predict(self, now: float) -> tuple[Track, ...]:
        """Tracks of the latest `update` with their predicted boxes at ``now``, for a frame without detection."""
        return tuple(
            msgspec.structs.replace(track, box=track.predicted(now))
            for track in self._tracks
            if track.last_seen == self._latest
        )

    def reset(self) -> None:
        """Drop all tracks; later detections get new ids."""
        self._tracks, self._latest = (), -math.inf

    def _max_gap_s(self, track: Track) -> float:
        """Longest gap in detections before ``track`` ends.

        A track that was in the latest detection run has missed none yet, however long ago that was. Otherwise no track
        could mature at two detection runs per second or less.
        """
        if track.last_seen == self._latest:
            return self._settings.lost_s
        return min(self._settings.lost_s, TENTATIVE_MAX_GAP_S + GAP_PER_AGE * (track.last_seen - track.first_seen))

    def _match(self, tracks: Sequence[Track], boxes: Sequence[Box], now: float) -> dict[int, int]:
        """Match detections to tracks: {index of box: index of track}."""
        predicted = [track.predicted(now) for track in tracks]
        overlaps = [(iou(box, place), b, t) for b, box in enumerate(boxes) for t, place in enumerate(predicted)]
        least = max(self._settings.iou, LEAST_IOU)
        pairs = _best_first([pair for pair in overlaps if pair[0] >= least])
        if len(pairs) == min(len(boxes), len(tracks)):
            return pairs
        taken = set(pairs.values())
        jumps = [
            (-distance, b, t)
            for b, box in enumerate(boxes)
            for t, track in enumerate(tracks)
            if b not in pairs and t not in taken and (distance := _jump(track, predicted[t], box, now)) is not None
        ]
        return pairs | _best_first(jumps)

    def _match_low_score(self, tracks: Sequence[Track], low_score: Sequence[Box], now: float) -> dict[int, int]:
        """Match low-score boxes to established tracks by IoU: {index of box: index of track}."""
        fit = [t for t, track in enumerate(tracks) if self._is_established(track, now)]
        overlaps = [(iou(box, tracks[t].predicted(now)), b, t) for b, box in enumerate(low_score) for t in fit]
        return _best_first([pair for pair in overlaps if pair[0] >= max(self._settings.iou, LEAST_IOU)])

    def _is_established(self, track: Track, now: float) -> bool:
        recent = now - track.last_seen <= JUMP_MAX_GAP_S or track.last_seen == self._latest
        return recent and track.last_seen - track.first_seen >= TENTATIVE_MAX_GAP_S

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


def _jump(track: Track, predicted: Box, box: Box, now: float) -> float | None:
    """Distance in face widths from ``predicted`` to ``box``, None if the face cannot have moved there."""
    gap_s = now - track.last_seen
    ratio = box.w / predicted.w if predicted.w > 0 else math.inf
    if gap_s > JUMP_MAX_GAP_S or not 1 / JUMP_MAX_SCALE <= ratio <= JUMP_MAX_SCALE:
        return None
    distance = centre_distance(predicted, box)
    return distance if distance <= min(MAX_JUMP_WIDTHS, MAX_SPEED_WIDTHS_S * gap_s) else None


def _update(track: Track, box: Box, now: float) -> Track:
    """``track`` after a detection in ``box``; its velocity is a time-weighted exponential average.

    The weights sum to 1 from the first step on, so that a new track has a velocity at once.
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
