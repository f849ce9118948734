"""Tracker scenarios at 5 fps and 30 fps. Boxes are fractions of the frame."""

from collections.abc import Callable, Sequence

import pytest

from fer_edge.config.model import TrackSettings
from fer_edge.types import Box
from fer_edge.vision.tracker import Track, Tracker

RATES = pytest.mark.parametrize("rate_hz", [5, 15, 30])

Place = Callable[[float], Box | None]  # where a face is seen at a time, None while it is not


def face(x: float, y: float = 0.4, w: float = 0.15, h: float = 0.2) -> Box:
    """A face with its centre at (x, y)."""
    return Box(x - w / 2, y - h / 2, w, h)


def told(places: Sequence[Place], until_s: float, rate_hz: float, settings: TrackSettings | None = None):
    """[(now, {index of place: its track})] of a story; detections are given in changing order."""
    tracker = Tracker(settings or TrackSettings())
    story: list[tuple[float, dict[int, Track]]] = []
    for k in range(round(until_s * rate_hz) + 1):
        now = k / rate_hz
        seen = [(index, box) for index, place in enumerate(places) if (box := place(now)) is not None]
        if k % 2:
            seen.reverse()
        tracks = tracker.update([box for _, box in seen], now)
        story.append((now, {index: track for (index, _), track in zip(seen, tracks, strict=True)}))
    return story


def ids(story, index: int = 0) -> list[int]:
    """The ids that one face had, in the order of their appearance."""
    found: list[int] = []
    for _, tracks in story:
        if index in tracks and tracks[index].id not in found:
            found.append(tracks[index].id)
    return found


@RATES
def test_a_face_that_stays_keeps_its_id_and_knows_since_when(rate_hz):
    story = told([lambda _: face(0.5)], 10.0, rate_hz)
    assert ids(story) == [1]
    now, last = story[-1]
    assert (last[0].first_seen, last[0].last_seen) == (0.0, now) == (0.0, 10.0)


@RATES
def test_a_face_out_of_sight_for_less_than_lost_s_is_the_same(rate_hz):
    story = told([lambda t: None if 3.0 < t < 4.6 else face(0.5)], 6.0, rate_hz)
    assert ids(story) == [1]


@RATES
def test_a_face_out_of_sight_for_longer_than_lost_s_is_a_new_one(rate_hz):
    story = told([lambda t: None if 3.0 < t < 5.4 else face(0.5)], 6.0, rate_hz)
    assert ids(story) == [1, 2]


@RATES
def test_a_face_that_is_away_keeps_others_ids_unused(rate_hz):
    """Ids are never reused: the second visit is 2, the third is 3."""
    story = told([lambda t: face(0.5) if t % 6.0 < 2.0 else None], 14.0, rate_hz)
    assert ids(story) == [1, 2, 3]


@RATES
def test_two_faces_that_pass_each_other_keep_their_ids(rate_hz):
    """One walks right and one left, 0.2 of the frame a second; the nearer hides the other while they overlap."""

    def near(t: float) -> Box:
        return face(0.2 + 0.2 * t, w=0.15, h=0.2)

    def far(t: float) -> Box | None:
        return None if abs((0.2 + 0.2 * t) - (0.8 - 0.2 * t)) < 0.09 else face(0.8 - 0.2 * t, 0.38, w=0.12, h=0.16)

    story = told([near, far], 3.0, rate_hz)
    assert ids(story, 0) == [1]
    assert ids(story, 1) == [2]


@RATES
def test_two_faces_that_meet_and_turn_back_keep_their_ids_while_both_are_detected(rate_hz):
    def left(t: float) -> Box:
        return face(0.5 - 0.06 - 0.1 * abs(t - 2.0))

    def right(t: float) -> Box:
        return face(0.5 + 0.06 + 0.1 * abs(t - 2.0))

    story = told([left, right], 4.0, rate_hz)
    assert ids(story, 0) == [1]
    assert ids(story, 1) == [2]


@RATES
def test_two_faces_side_by_side_that_flicker_in_turn_do_not_swap(rate_hz):
    story = told(
        [
            lambda t: None if int(t * 5) % 3 == 0 and t > 1 else face(0.4),
            lambda t: None if int(t * 5) % 3 == 1 and t > 1 else face(0.6),
        ],
        6.0,
        rate_hz,
    )
    assert ids(story, 0) == [1]
    assert ids(story, 1) == [2]


@RATES
def test_somebody_who_walks_past_is_one_face(rate_hz):
    """7 of its own widths a second: at 5 frames a second no two boxes overlap."""
    story = told([lambda t: face(-0.05 + 0.7 * t, w=0.1, h=0.14)], 1.4, rate_hz)
    assert ids(story) == [1]


@RATES
def test_a_face_far_away_from_one_that_left_is_another(rate_hz):
    story = told([lambda t: face(0.2) if t < 2.0 else face(0.8)], 4.0, rate_hz)
    assert ids(story) == [1, 2]


@RATES
def test_a_face_of_another_size_beside_one_that_left_is_another(rate_hz):
    story = told([lambda t: face(0.3, w=0.2, h=0.27) if t < 2.0 else face(0.49, w=0.08, h=0.1)], 4.0, rate_hz)
    assert ids(story) == [1, 2]


@RATES
def test_a_face_that_comes_nearer_keeps_its_id(rate_hz):
    story = told([lambda t: face(0.5, w=0.06 * 1.5**t, h=0.08 * 1.5**t)], 4.0, rate_hz)
    assert ids(story) == [1]


@RATES
def test_a_trembling_box_that_is_lost_for_a_second_is_found_where_it_was(rate_hz):
    """A cascade's boxes jitter by 2% of their side; that must not become a velocity during a gap."""

    def trembling(t: float) -> Box | None:
        jump = 0.003 * ((round(t * rate_hz) * 7) % 3 - 1)
        return None if 2.0 < t < 3.4 else face(0.5 + jump, 0.4 - jump)

    assert ids(told([trembling], 5.0, rate_hz)) == [1]


@RATES
def test_a_false_alarm_is_forgotten_long_before_a_face(rate_hz):
    """Two false alarms 1.2 s apart in one place must not look like one face that has been there for 1.2 s."""
    story = told([lambda t: face(0.5) if round(t * rate_hz) in {0, round(1.2 * rate_hz)} else None], 2.0, rate_hz)
    assert ids(story) == [1, 2]


@RATES
def test_a_new_face_may_be_missed_for_a_moment(rate_hz):
    """0.4 s is one frame missed at 5 a second."""
    story = told([lambda t: None if 0.01 < t < 0.39 else face(0.5)], 1.0, rate_hz)
    assert ids(story) == [1]


@RATES
def test_a_false_alarm_beside_a_face_does_not_take_its_id(rate_hz):
    story = told([lambda _: face(0.5), lambda t: face(0.55, 0.45) if abs(t - 1.0) < 0.01 else None], 2.0, rate_hz)
    assert ids(story, 0) == [1]
    assert ids(story, 1) == [2]


def test_between_detections_a_walking_face_is_carried_on():
    tracker = Tracker(TrackSettings())
    for k in range(11):
        tracker.update([face(0.2 + 0.1 * k / 10)], k / 10)
    (carried,) = tracker.predict(1.1)
    assert carried.box.x + carried.box.w / 2 == pytest.approx(0.31)
    assert carried.last_seen == 1.0


def test_between_detections_only_faces_of_the_latest_detection_are_carried():
    tracker = Tracker(TrackSettings())
    tracker.update([face(0.2), face(0.8)], 0.0)
    tracker.update([face(0.8)], 0.1)
    assert [track.id for track in tracker.predict(0.2)] == [2]
    tracker.update([], 0.3)
    assert tracker.predict(0.4) == ()


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_walking_face_keeps_its_id_with_detection_in_every_nth_frame(every):
    tracker = Tracker(TrackSettings())
    found = set()
    for k in range(60):
        now = k / 15
        place = face(0.1 + 0.2 * now)
        tracks = tracker.update([place], now) if k % every == 0 else tracker.predict(now)
        found |= {track.id for track in tracks}
        if k > 2 * every:
            assert tracks[0].box.x == pytest.approx(place.x, abs=0.001)
    assert found == {1}


def test_prediction_of_a_lost_track_stops_after_a_second():
    track = Track(1, face(0.5), first_seen=0.0, last_seen=1.0, vx=0.1)
    assert track.predicted(1.5).x - track.box.x == pytest.approx(0.05)
    assert track.predicted(9.0).x - track.box.x == pytest.approx(0.1)


def test_the_same_moment_twice_does_not_divide_by_nothing():
    tracker = Tracker(TrackSettings())
    tracker.update([face(0.5)], 1.0)
    (track,) = tracker.update([face(0.51)], 1.0)
    assert (track.id, track.vx) == (1, 0.0)


def test_the_overlap_that_makes_a_match_is_the_users():
    """0.15 wide and moved by 0.05 the overlap is 0.5; after 0.4 s it is too late to look for it by distance."""
    for least, expected in [(0.49, [1]), (0.51, [1, 2])]:
        tracker = Tracker(TrackSettings(iou=least))
        found = [tracker.update([box], now)[0].id for box, now in [(face(0.5), 0.0), (face(0.55), 0.4)]]
        assert sorted(set(found)) == expected


def test_nobody_in_sight_is_no_trouble():
    tracker = Tracker(TrackSettings())
    assert tracker.update([], 0.0) == ()
    assert tracker.predict(0.1) == ()
    assert tracker.update([], 100.0) == ()


def followed(tracker: Tracker, until_s: float, box: Box, rate_hz: int = 10) -> float:
    """A face with high scores in ``box`` from 0 on; returns the time of its latest frame."""
    now = 0.0
    for step in range(round(until_s * rate_hz) + 1):
        now = step / rate_hz
        tracker.update([box], now)
    return now


def test_followed_face_is_found_again_by_a_box_that_would_begin_none():
    tracker = Tracker(TrackSettings())
    now = followed(tracker, 1.0, face(0.5))
    for _ in range(30):
        now += 0.1
        (track,) = tracker.update([], now, [face(0.51)])
        assert (track.id, track.first_seen, track.last_seen) == (1, 0.0, now)
        assert track.box == face(0.51)


def test_low_score_box_alone_starts_no_track_however_long_it_stays():
    tracker = Tracker(TrackSettings())
    assert [tracker.update([], step / 10, [face(0.5)]) for step in range(50)] == [()] * 50


def test_faint_boxes_make_no_face_of_a_false_alarm():
    tracker = Tracker(TrackSettings())
    now = followed(tracker, 0.4, face(0.5))
    assert tracker.update([], now + 0.1, [face(0.5)]) == ()


@pytest.mark.parametrize(("away_s", "x"), [(0.4, 0.5), (0.1, 0.7)])
def test_faint_box_long_after_or_elsewhere_is_not_the_face(away_s: float, x: float):
    tracker = Tracker(TrackSettings())
    now = followed(tracker, 2.0, face(0.5))
    tracker.update([], now + away_s / 2)
    assert tracker.update([], now + away_s, [face(x)]) == ()


def test_low_score_box_continues_a_track_after_frames_without_detection():
    tracker = Tracker(TrackSettings())
    now = followed(tracker, 2.0, face(0.5))
    assert [track.id for track in tracker.update([], now + 0.6, [face(0.5)])] == [1]


def test_sure_box_goes_before_a_faint_one_and_each_face_has_its_own():
    tracker = Tracker(TrackSettings())
    for step in range(11):
        tracker.update([face(0.3), face(0.7)], step / 10)
    sure, low_score = tracker.update([face(0.31)], 1.1, [face(0.3), face(0.69)])
    assert (sure.id, sure.box) == (1, face(0.31))
    assert (low_score.id, low_score.box) == (2, face(0.69))


@pytest.mark.parametrize("rate_hz", [0.6, 1, 5 / 3])
def test_a_face_with_rare_detection_keeps_its_id(rate_hz):
    assert ids(told([lambda _: face(0.5)], 20.0, rate_hz)) == [1]


def test_a_false_positive_does_not_wait_for_the_next_one_with_rare_detection():
    story = told([lambda t: face(0.5) if t in (0.0, 2.0) else None], 2.0, 1.0)
    assert ids(story) == [1, 2]


def test_a_face_that_is_forgotten_comes_back_under_another_id():
    tracker = Tracker(TrackSettings())
    tracker.update([face(0.5)], 0.0)
    tracker.update([face(0.5)], 1.0)
    tracker.reset()
    assert tracker.predict(1.05) == ()
    assert [track.id for track in tracker.update([face(0.5)], 1.1)] == [2]
