"""Threshold search on recordings with known answers."""

import pytest

from fer_edge.tuning.ground_truth import Span
from fer_edge.tuning.search import best, lowest_floor
from tests.tuning.conftest import PLAIN


def test_floor_is_the_lowest_that_gives_at_most_the_wanted_rate(recorded) -> None:
    """Ten changes between happy 0.72 and neutral 0.9 in 22 s: above 0.72 only null and neutral alternate."""
    recording = recorded(*[(2.0, "neutral", 0.9), (0.2, "happy", 0.72)] * 10)
    per_hour = 3600 / recording.seconds
    lax = lowest_floor([recording], PLAIN, 100 * per_hour)
    assert lax is not None
    assert lax.thresholds("happy")[0] == 0.5  # unchanged
    strict = lowest_floor([recording], PLAIN, 3 * per_hour)
    assert strict is not None
    assert strict.thresholds("happy")[0] == pytest.approx(0.9)  # 0.9 as float32 is a little less: no expression is held


def test_faces_that_appear_and_leave_are_reported_with_any_thresholds(recorded) -> None:
    recording = recorded((2.0, "happy", 0.8))
    assert lowest_floor([recording], PLAIN, 1.0) is None


def test_best_threshold_separates_labelled_from_unlabelled(recorded) -> None:
    """Happy at 0.85 was a smile, at 0.65 it was not: any threshold between is correct, 0.7 is nearest to 0.5."""
    recording = recorded((5, "happy", 0.85), (5, "happy", 0.65))
    spans = [Span(0, 5, "happy"), Span(5, 10, "neutral")]
    enter, score = best(recording, PLAIN, spans)["happy"]
    assert 0.65 < enter <= 0.85
    assert score.f1 == pytest.approx(1.0, abs=0.05)


def test_present_threshold_is_kept_if_no_other_is_better(recorded) -> None:
    recording = recorded((5, "happy", 0.95), (5, "sad", 0.95))
    spans = [Span(0, 5, "happy"), Span(5, 10, "sad")]
    assert {emotion: enter for emotion, (enter, _) in best(recording, PLAIN, spans).items()} == {
        "happy": 0.5,
        "sad": 0.5,
    }
