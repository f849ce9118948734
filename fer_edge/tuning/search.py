"""Thresholds for what somebody wants: no more than so many events an hour, or the best agreement with labels."""

from collections.abc import Callable, Sequence

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.recording.steps import Recording
from fer_edge.tuning.choose import at_least, raised, thresholds
from fer_edge.tuning.ground_truth import Score, Span, score
from fer_edge.tuning.replay import replay
from fer_edge.tuning.sweep import GRID

STEP = 0.02
HIGHEST = 0.98
MOST_FLOORS = round(HIGHEST / STEP) + 1


def at_most(
    recordings: Sequence[Recording],
    decide: DecideSettings,
    per_hour: float,
    tell: Callable[[], None] = lambda: None,
) -> DecideSettings | None:
    """The settings with the lowest common floor under all enter thresholds that tell at most so many events an hour.

    ``tell`` is called after each floor that was tried, MOST_FLOORS times at most. None where even HIGHEST tells more:
    faces that come and go are told whatever the thresholds are.
    """
    hours = sum(recording.seconds for recording in recordings) / 3600.0
    floor = min(thresholds(decide, emotion)[0] for emotion in EMOTIONS)
    while floor <= HIGHEST:
        tried = at_least(decide, round(floor, 4))
        if sum(len(replay(recording, tried)) for recording in recordings) <= per_hour * hours:
            return tried
        tell()
        floor += STEP
    return None


def best(
    recording: Recording, decide: DecideSettings, spans: Sequence[Span], tell: Callable[[], None] = lambda: None
) -> dict[str, tuple[float, Score]]:
    """For each expression in the labels the enter threshold of GRID with the best F1; the present one among equals.

    ``tell`` is called after each threshold of GRID, for each expression.
    """
    found = {}
    for emotion in sorted({span.emotion for span in spans}, key=EMOTIONS.index):
        present = thresholds(decide, emotion)[0]
        tried = {present: score(recording, decide, spans, emotion)}
        for enter in GRID:
            tried.setdefault(enter, score(recording, raised(decide, emotion, enter), spans, emotion))
            tell()
        enter = max(tried, key=lambda one: (round(tried[one].f1, 3), -abs(one - present)))
        found[emotion] = (enter, tried[enter])
    return found
