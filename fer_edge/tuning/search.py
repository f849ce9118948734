"""Thresholds: changes by hand, sweeps, and search by event rate or by agreement with labels."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import yaml

from fer_edge.config.loader import check_values, settle
from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.config.runtime import overlaid
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import SettingsError
from fer_edge.recording.format import Recording
from fer_edge.tuning.ground_truth import Score, Span, score
from fer_edge.tuning.replay import replay
from fer_edge.types import Event, EventKind

GRID = tuple(round(0.30 + 0.05 * step, 2) for step in range(14))  # 0.30 to 0.95
BRIEF_S = 2.0  # an expression held for less than this is flicker
# Beside YAMLError PyYAML raises its constructors' errors: `!!bool x`, `!!int ""`, `!!timestamp x`, `[[[[`.
NOT_A_VALUE = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
STEP = 0.02
HIGHEST = 0.98
MOST_FLOORS = round(HIGHEST / STEP) + 1


class Point(msgspec.Struct, frozen=True, rename={"events": "told"}):
    """One expression at one enter threshold."""

    enter: float
    events: int  # that report it
    brief: int  # of these, ended within BRIEF_S


def sweep(
    recordings: Sequence[Recording], decide: DecideSettings, emotion: str, advance: Callable[[], None] = lambda: None
) -> list[Point]:
    """Return a point for each threshold of GRID, everything else as in ``decide``; ``advance`` is called after each."""
    points = []
    for enter in GRID:
        events = [replay(recording, with_enter(decide, emotion, enter)) for recording in recordings]
        points.append(
            Point(
                enter,
                sum(count_events(one, emotion) for one in events),
                sum(count_brief(one, emotion) for one in events),
            )
        )
        advance()
    return points


def count_events(events: Sequence[Event], emotion: str) -> int:
    """Return the number of events that report ``emotion``: on appearing or as a change."""
    return sum(event.emotion == emotion and event.kind is not EventKind.GONE for event in events)


def count_brief(events: Sequence[Event], emotion: str) -> int:
    """Return the number of events of ``emotion`` that were followed by a change within BRIEF_S."""
    count = 0
    latest: dict[int, Event] = {}
    for event in events:
        before = latest.get(event.face)
        if event.kind is EventKind.CHANGED and before is not None and before.emotion == emotion:
            count += event.at - before.at < BRIEF_S
        latest[event.face] = event
    return count


def lowest_floor(
    recordings: Sequence[Recording],
    decide: DecideSettings,
    per_hour: float,
    advance: Callable[[], None] = lambda: None,
) -> DecideSettings | None:
    """Return the settings with the lowest floor under all enter thresholds that give at most ``per_hour`` events.

    ``advance`` is called after each floor, MOST_FLOORS times at most. None if even HIGHEST gives more: faces that
    appear and leave are reported with any thresholds.
    """
    hours = sum(recording.seconds for recording in recordings) / 3600.0
    floor = min(decide.thresholds(emotion)[0] for emotion in EMOTIONS)
    while floor <= HIGHEST:
        tried = with_floor(decide, round(floor, 4))
        if sum(len(replay(recording, tried)) for recording in recordings) <= per_hour * hours:
            return tried
        advance()
        floor += STEP
    return None


def best(
    recording: Recording, decide: DecideSettings, spans: Sequence[Span], advance: Callable[[], None] = lambda: None
) -> dict[str, tuple[float, Score]]:
    """Return for each labelled expression the enter threshold of GRID with the best F1; the present one among equals.

    ``advance`` is called after each threshold of GRID, for each expression.
    """
    found = {}
    for emotion in sorted({span.emotion for span in spans}, key=EMOTIONS.index):
        present = decide.thresholds(emotion)[0]
        tried = {present: score(recording, decide, spans, emotion)}
        for enter in GRID:
            tried.setdefault(enter, score(recording, with_enter(decide, emotion, enter), spans, emotion))
            advance()
        enter = max(tried, key=lambda one: (round(tried[one].f1, 3), -abs(one - present)))
        found[emotion] = (enter, tried[enter])
    return found


def with_changes(decide: DecideSettings, assignments: Sequence[str]) -> DecideSettings:
    """Return ``decide`` with assignments such as `decide.enter=0.7` or `happy.enter=0.7`; `decide.` is optional.

    Raises:
        SettingsError: one has another form, an unknown key or an invalid value.
    """
    change: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {assignment}: must be KEY=VALUE, such as decide.enter=0.7 or happy.enter=0.7")
        change = overlaid(change, _nested(_path(key.strip()), _value(assignment, value)))
    mistakes = check_values(change)
    if mistakes:
        raise SettingsError("\n".join(f"--set {mistake}" for mistake in mistakes))
    settings, mistakes = settle(overlaid({"decide": as_tree(decide)}, change))
    if settings is None:
        raise SettingsError("\n".join(f"--set {mistake}" for mistake in mistakes))
    return settings.decide


def with_enter(decide: DecideSettings, emotion: str, enter: float) -> DecideSettings:
    """Return ``decide`` with another enter threshold for one expression, and a leave threshold as far below it."""
    before_enter, before_leave = decide.thresholds(emotion)
    own = Threshold(enter=round(enter, 4), leave=round(max(0.0, enter - (before_enter - before_leave)), 4))
    return msgspec.structs.replace(decide, emotions={**decide.emotions, emotion: own})


def with_floor(decide: DecideSettings, enter: float) -> DecideSettings:
    """Return ``decide`` with every enter threshold at least ``enter``."""
    for emotion in EMOTIONS:
        if decide.thresholds(emotion)[0] < enter:
            decide = with_enter(decide, emotion, enter)
    return decide


def as_tree(decide: DecideSettings) -> dict[str, Any]:
    """Return the section as it is written in config.yaml, without the nulls that mean `as all others`."""
    tree: dict[str, Any] = msgspec.to_builtins(decide)
    emotions = tree["emotions"].items()
    tree["emotions"] = {name: {key: one for key, one in own.items() if one is not None} for name, own in emotions}
    return tree


def _path(key: str) -> list[str]:
    parts = key.split(".")
    if parts[0] in EMOTIONS:
        return ["decide", "emotions", *parts]
    return parts if parts[0] == "decide" else ["decide", *parts]


def _nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    return {path[0]: value if len(path) == 1 else _nested(path[1:], value)}


def _value(assignment: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except NOT_A_VALUE as error:
        raise SettingsError(f"--set {assignment}: its value cannot be read") from error
