"""A recording is played at its own speed: hand-worked waits."""

import pytest

from fer_edge.capture.video import PlaybackClock


def test_first_frame_is_due_at_once_and_the_others_at_their_distance_from_it() -> None:
    pace = PlaybackClock()
    assert pace.wait_s(2.0, 50.0) == 0.0
    assert pace.wait_s(2.1, 50.0) == pytest.approx(0.1)
    assert pace.wait_s(3.0, 50.25) == pytest.approx(0.75)


def test_small_lateness_is_made_up_for() -> None:
    pace = PlaybackClock()
    pace.wait_s(0.0, 50.0)
    assert pace.wait_s(0.1, 50.3) == 0.0
    assert pace.wait_s(0.4, 50.3) == pytest.approx(0.1)


def test_great_lateness_is_not_followed_by_a_burst() -> None:
    pace = PlaybackClock()
    pace.wait_s(0.0, 50.0)
    assert pace.wait_s(0.1, 60.0) == 0.0  # the machine slept for ten seconds
    assert pace.wait_s(0.2, 60.0) == pytest.approx(0.1)
