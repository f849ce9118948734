"""A window is told when its time is over, and the last one at the end."""

import numpy as np

from fer_edge.events.lifecycle import Decision
from fer_edge.events.summary import SummaryScheduler
from fer_edge.types import Box, FaceState, Frame, Outcome, SummaryWindow

FRAME = Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 0)
HAPPY = FaceState(1, Box(0, 0, 1, 1), "happy", 0.9, np.full(7, 1 / 7, np.float32), 0.0, Outcome.HELD)
SEEN = Decision(events=(), verdicts=(HAPPY,), in_frame=(HAPPY,))
NOBODY = Decision(events=(), verdicts=(), in_frame=())


def play(told: list[SummaryWindow], until_s: float, length_s: float = 10.0) -> SummaryScheduler:
    windows = SummaryScheduler(told.append, length_s, 100.0)
    for step in range(round(until_s * 10)):
        windows.on_frame(FRAME, (), SEEN, 100.0 + step / 10)
    return windows


def test_windows_follow_each_other_without_a_hole() -> None:
    told: list[SummaryWindow] = []
    play(told, 25.0)
    assert [(one.started, one.ended) for one in told] == [(100.0, 110.0), (110.0, 120.0)]
    assert [round(one.dwell_s["happy"], 6) for one in told] == [10.0, 10.0]
    assert [one.faces for one in told] == [1, 1]


def test_window_ends_in_time_although_the_camera_gives_no_more_frames() -> None:
    told: list[SummaryWindow] = []
    windows = play(told, 5.0)
    windows.on_tick(NOBODY, 109.9)
    assert told == []
    windows.on_tick(NOBODY, 110.0)
    (window,) = told
    assert 5.0 <= window.dwell_s["happy"] <= 6.0, "the last frame vouches for a second at most"
    assert window.coverage < 0.61


def test_end_tells_what_there_was_so_far_and_nothing_twice() -> None:
    told: list[SummaryWindow] = []
    windows = play(told, 12.0)
    windows.end(112.0)
    windows.end(112.0)
    assert [(one.started, one.ended) for one in told] == [(100.0, 110.0), (110.0, 112.0)]


def test_last_window_is_not_told_where_it_is_shorter_than_it_may_be() -> None:
    for length_s, told_s in ((59.9, []), (60.0, [60.0])):
        told: list[SummaryWindow] = []
        windows = SummaryScheduler(told.append, 600.0, 100.0, least_s=60.0)
        windows.on_frame(FRAME, (), SEEN, 100.0)
        windows.end(100.0 + length_s)
        assert [one.ended - one.started for one in told] == told_s


def test_another_length_counts_from_the_window_that_is_open() -> None:
    told: list[SummaryWindow] = []
    windows = play(told, 5.0)
    windows.length_s = 3.0
    windows.on_tick(NOBODY, 105.0)
    assert [(one.started, one.ended) for one in told] == [(100.0, 105.0)]
