"""Time series of a timeline."""

import numpy as np
import pytest

from fer_edge.types import Box, FaceState, Outcome
from fer_edge.video.timeline import MOST_POINTS, Trace

SCORES = np.full(7, 1 / 7, np.float32)


def seen(emotion: str | None) -> FaceState:
    return FaceState(1, Box(0, 0, 1, 1), emotion, 0.5, SCORES, 0.0, Outcome.HELD)


def traced(story: dict[float, str | None]) -> Trace:
    trace = Trace()
    for at, emotion in story.items():
        trace.add(seen(emotion), at)
    return trace


def test_bands_last_as_long_as_an_expression_was_held() -> None:
    trace = traced({0.0: None, 0.1: "happy", 0.2: "happy", 0.3: "sad", 0.4: "sad"})
    assert trace.bands() == [(0.0, 0.1, None), (0.1, 0.3, "happy"), (0.3, 0.4, "sad")]


def test_band_and_lines_break_while_the_face_is_out_of_sight() -> None:
    trace = traced({0.0: "happy", 0.1: "happy", 2.0: "happy", 2.1: "happy"})
    assert trace.bands() == [(0.0, 0.1, "happy"), (2.0, 2.1, "happy")]
    times, scores = trace.lines()
    assert times == [0.0, 0.1, 0.1, 2.0, 2.1]
    assert np.isnan(scores[2]).all()
    assert not np.isnan(scores[[0, 1, 3, 4]]).any()


def test_long_trace_is_thinned_evenly_and_keeps_its_end() -> None:
    trace = Trace()
    for number in range(4 * MOST_POINTS):
        trace.add(seen("happy"), float(number))
    assert MOST_POINTS / 2 <= len(trace.times) <= MOST_POINTS + 1
    assert set(np.diff(trace.times)) == {float(trace.stride)}
    assert trace.bands() == [(0.0, pytest.approx(4 * MOST_POINTS - 1), "happy")]
