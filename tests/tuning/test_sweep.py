"""Events by threshold, counted by hand."""

from fer_edge.tuning.replay import replay
from fer_edge.tuning.search import GRID, count_brief, count_events, sweep
from tests.tuning.conftest import PLAIN


def test_expression_is_reported_below_its_score_and_not_above_and_short_ones_are_brief(recorded) -> None:
    recording = recorded((3, "neutral", 0.9), (1, "happy", 0.72), (3, "neutral", 0.9), (4, "happy", 0.88))
    points = {point.enter: point for point in sweep([recording], PLAIN, "happy")}
    assert set(points) == set(GRID)
    assert (points[0.70].events, points[0.70].brief) == (2, 1)  # the first ended after one second
    assert (points[0.75].events, points[0.75].brief) == (1, 0)
    assert (points[0.90].events, points[0.90].brief) == (0, 0)


def test_appearing_counts_as_an_event_of_the_expression_and_leaving_does_not(recorded) -> None:
    events = replay(recorded((3, "happy", 0.9)))
    assert [event.kind for event in events] == ["face_appeared", "face_gone"]
    assert count_events(events, "happy") == 1
    assert count_brief(events, "happy") == 0
