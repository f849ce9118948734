"""Events against a threshold, counted by hand."""

from fer_edge.tuning.replay import replay
from fer_edge.tuning.search import GRID, brief, sweep, told
from tests.tuning.conftest import PLAIN


def test_expression_is_told_below_its_score_and_not_above_and_short_ones_are_brief(recorded) -> None:
    recording = recorded((3, "neutral", 0.9), (1, "happy", 0.72), (3, "neutral", 0.9), (4, "happy", 0.88))
    points = {point.enter: point for point in sweep([recording], PLAIN, "happy")}
    assert set(points) == set(GRID)
    assert (points[0.70].told, points[0.70].brief) == (2, 1)  # the first was given up after one second
    assert (points[0.75].told, points[0.75].brief) == (1, 0)
    assert (points[0.90].told, points[0.90].brief) == (0, 0)


def test_appearing_counts_as_told_and_leaving_does_not(recorded) -> None:
    events = replay(recorded((3, "happy", 0.9)))
    assert [event.kind for event in events] == ["face_appeared", "face_gone"]
    assert told(events, "happy") == 1
    assert brief(events, "happy") == 0
