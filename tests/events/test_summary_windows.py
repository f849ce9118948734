"""Windows are published on schedule, the last one at the end."""

import numpy as np

from fer_edge.events.lifecycle import Decision
from fer_edge.events.summary import SummaryScheduler
from fer_edge.types import Box, FaceState, Frame, Outcome, SummaryWindow

FRAME = Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 0)
HAPPY = FaceState(1, Box(0, 0, 1, 1), "happy", 0.9, np.full(7, 1 / 7, np.float32), 0.0, Outcome.HELD)
SEEN = Decision(events=(), states=(HAPPY,), in_frame=(HAPPY,))
NOBODY = Decision(events=(), states=(), in_frame=())


def play(published: list[SummaryWindow], until_s: float, length_s: float = 10.0) -> SummaryScheduler:
    windows = SummaryScheduler(published.append, length_s, 100.0)
    for step in range(round(until_s * 10)):
        windows.on_frame(FRAME, (), SEEN, 100.0 + step / 10)
    return windows


def test_windows_follow_each_other_without_a_gap() -> None:
    published: list[SummaryWindow] = []
    play(published, 25.0)
    assert [(one.started, one.ended) for one in published] == [(100.0, 110.0), (110.0, 120.0)]
    assert [round(one.dwell_s["happy"], 6) for one in published] == [10.0, 10.0]
    assert [one.faces for one in published] == [1, 1]


def test_window_ends_in_time_without_frames() -> None:
    published: list[SummaryWindow] = []
    windows = play(published, 5.0)
    windows.on_tick(NOBODY, 109.9)
    assert published == []
    windows.on_tick(NOBODY, 110.0)
    (window,) = published
    assert 5.0 <= window.dwell_s["happy"] <= 6.0, "the last frame counts for a second at most"
    assert window.coverage < 0.61


def test_end_publishes_the_open_window_once() -> None:
    published: list[SummaryWindow] = []
    windows = play(published, 12.0)
    windows.end(112.0)
    windows.end(112.0)
    assert [(one.started, one.ended) for one in published] == [(100.0, 110.0), (110.0, 112.0)]


def test_last_window_is_not_published_if_it_is_shorter_than_least_s() -> None:
    for length_s, published_s in ((59.9, []), (60.0, [60.0])):
        published: list[SummaryWindow] = []
        windows = SummaryScheduler(published.append, 600.0, 100.0, least_s=60.0)
        windows.on_frame(FRAME, (), SEEN, 100.0)
        windows.end(100.0 + length_s)
        assert [one.ended - one.started for one in published] == published_s


def test_new_length_applies_to_the_open_window() -> None:
    published: list[SummaryWindow] = []
    windows = play(published, 5.0)
    windows.length_s = 3.0
    windows.on_tick(NOBODY, 105.0)
    assert [(one.started, one.ended) for one in published] == [(100.0, 105.0)]
