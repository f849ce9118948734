"""Sums over all faces in a window."""

import numpy as np
import pytest

from fer_edge.emotions import EMOTIONS
from fer_edge.events.summary import SummaryAccumulator
from fer_edge.types import Box, FaceState, Outcome


def held(face, emotion, outcome=Outcome.HELD) -> FaceState:
    scores = np.full(7, 1 / 7, np.float32)
    return FaceState(face, Box(0, 0, 1, 1), emotion, 0.9, scores, 0.0, outcome)


def watched(summary, states, start, end, rate_hz=10) -> None:
    for step in range(round((end - start) * rate_hz)):
        summary.add(states, start + step / rate_hz)


def test_seconds_of_each_expression_and_of_unsure_add_up_over_faces():
    summary = SummaryAccumulator(100.0)
    watched(summary, [held(1, "happy"), held(2, "sad")], 100.0, 104.0)
    watched(summary, [held(1, None, Outcome.UNSURE), held(2, "sad")], 104.0, 110.0)
    window = summary.close(110.0)
    assert (window.started, window.ended, window.faces) == (100.0, 110.0, 2)
    assert set(window.dwell_s) == set(EMOTIONS)
    assert window.dwell_s["happy"] == pytest.approx(4.0)
    assert window.dwell_s["sad"] == pytest.approx(10.0)
    assert window.dwell_s["neutral"] == 0.0
    assert window.unsure_s == pytest.approx(6.0)
    assert window.coverage == pytest.approx(1.0)


def test_empty_scene_is_covered_and_has_no_faces():
    summary = SummaryAccumulator(0.0)
    watched(summary, [], 0.0, 5.0)
    window = summary.close(5.0)
    assert (window.faces, window.unsure_s, sum(window.dwell_s.values())) == (0, 0.0, 0.0)
    assert window.coverage == pytest.approx(1.0)


def test_time_without_frames_is_not_covered_and_the_last_faces_do_not_continue():
    summary = SummaryAccumulator(0.0)
    summary.add([held(1, "happy")], 2.0)  # two seconds without a frame, one frame, then nothing for eight
    window = summary.close(10.0)
    assert window.dwell_s["happy"] == pytest.approx(1.0)
    assert window.coverage == pytest.approx(0.1)


def test_arriving_faces_do_not_count():
    summary = SummaryAccumulator(0.0)
    watched(summary, [held(1, None, Outcome.ARRIVING)], 0.0, 5.0)
    window = summary.close(5.0)
    assert (window.faces, window.unsure_s) == (0, 0.0)


def test_face_that_stays_is_counted_in_each_window_it_is_in():
    summary = SummaryAccumulator(0.0)
    watched(summary, [held(1, "happy")], 0.0, 5.0)
    first = summary.close(4.95)  # between two frames: the rest of the interval belongs to the next window
    watched(summary, [held(1, "happy")], 5.0, 6.0)
    second = summary.close(6.0)
    third = summary.close(20.0)
    assert (first.faces, second.faces) == (1, 1)
    assert first.dwell_s["happy"] == pytest.approx(4.95)
    assert second.dwell_s["happy"] == pytest.approx(1.05)
    assert third.dwell_s["happy"] == pytest.approx(0.9), "the frame of 5.9 counts until 6.9"
    assert (second.started, third.started) == (4.95, 6.0)


def test_window_without_length_is_empty():
    window = SummaryAccumulator(3.0).close(3.0)
    assert (window.coverage, window.faces) == (0.0, 0)
