"""Thresholds for what somebody wants: no more than so many events an hour, or the best agreement with labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
BRIEF_S = 2.0  # an expression that is given up sooner than that flickered
# Beside its own YAMLError PyYAML raises what its constructors do, of `!!bool x`, `!!int ""`, `!!timestamp x`, `[[[[`.
NOT_A_VALUE = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
STEP = 0.02
HIGHEST = 0.98
MOST_FLOORS = round(HIGHEST / STEP) + 1


@dataclass(frozen=True, slots=True)
class Point:
    """One expression at one enter threshold."""

    enter: float
    told: int  # times it was told
    brief: int  # of these, given up within BRIEF_S


def sweep(
    recordings: Sequence[Recording], decide: DecideSettings, emotion: str, tell: Callable[[], None] = lambda: None
) -> list[Point]:
    """The points of an expression over GRID, everything else as in ``decide``; ``tell`` is called after each."""
    points = []
    for enter in GRID:
        events = [replay(recording, raised(decide, emotion, enter)) for recording in recordings]
        points.append(
            Point(enter, sum(told(one, emotion) for one in events), sum(brief(one, emotion) for one in events))
        )
        tell()
    return points


def told(events: Sequence[Event], emotion: str) -> int:
    """How often an expression was told: on appearing or as a change."""
    return sum(event.emotion == emotion and event.kind is not EventKind.GONE for event in events)


def brief(events: Sequence[Event], emotion: str) -> int:
    """How often it was given up again within BRIEF_S."""
    count = 0
    latest: dict[int, Event] = {}
    for event in events:
        before = latest.get(event.face)
        if event.kind is EventKind.CHANGED and before is not None and before.emotion == emotion:
            count += event.at - before.at < BRIEF_S
        latest[event.face] = event
    return count


def assigned(decide: DecideSettings, assignments: Sequence[str]) -> DecideSettings:
    """``decide`` with what `decide.enter=0.7` or `happy.enter=0.7` and the like say; `decide.` may be left out.

    Raises:
        SettingsError: one is not of that form, names no key, or its value does not fit.
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
    settings, mistakes = settle(overlaid({"decide": _plain(decide)}, change))
    if settings is None:
        raise SettingsError("\n".join(f"--set {mistake}" for mistake in mistakes))
    return settings.decide


def raised(decide: DecideSettings, emotion: str, enter: float) -> DecideSettings:
    """``decide`` with another enter threshold for one expression; its leave threshold keeps its distance below."""
    before_enter, before_leave = thresholds(decide, emotion)
    own = Threshold(enter=round(enter, 4), leave=round(max(0.0, enter - (before_enter - before_leave)), 4))
    return msgspec.structs.replace(decide, emotions={**decide.emotions, emotion: own})


def at_least(decide: DecideSettings, enter: float) -> DecideSettings:
    """``decide`` with every enter threshold raised to ``enter`` where it is lower."""
    for emotion in EMOTIONS:
        if thresholds(decide, emotion)[0] < enter:
            decide = raised(decide, emotion, enter)
    return decide


def thresholds(decide: DecideSettings, emotion: str) -> tuple[float, float]:
    """The enter and leave thresholds that hold for an expression."""
    own = decide.emotions.get(emotion, Threshold())
    return (
        decide.enter if own.enter is None else own.enter,
        decide.leave if own.leave is None else own.leave,
    )


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


def _plain(decide: DecideSettings) -> Mapping[str, Any]:
    """As a tree, without the nulls that mean `as all others`."""
    tree: dict[str, Any] = msgspec.to_builtins(decide)
    emotions = tree["emotions"].items()
    tree["emotions"] = {name: {key: one for key, one in own.items() if one is not None} for name, own in emotions}
    return tree


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
