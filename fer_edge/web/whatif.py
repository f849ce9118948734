"""Replay of the last minutes with other thresholds, for the page's sliders."""

from collections.abc import Mapping
from threading import Lock
from typing import Any, TypeVar

import msgspec

from fer_edge.config.model import DecideSettings, PrivacySettings, Settings, Zone
from fer_edge.config.rules import contradictions
from fer_edge.emotions import EMOTIONS
from fer_edge.tuning.replay import Comparison, compare, replay
from fer_edge.types import Event
from fer_edge.web.live_state import LiveState

_T = TypeVar("_T")

MOST_LISTED = 200  # events in one answer


class WhatIfError(ValueError):
    """Invalid settings in a request; the message names key and reason."""


class WhatIf:
    """Replay with other settings. Thread-safe: one replay at a time, so that many requests use one core at most."""

    def __init__(self, stage: LiveState) -> None:
        self._stage = stage
        self._lock = Lock()

    def compare(self, decide: DecideSettings) -> dict[str, object]:
        """Return the events of the last minutes with ``decide``, compared with the settings in force."""
        with self._lock:
            recording = self._stage.recording()
            comparison = compare(replay(recording), replay(recording, decide))
        end = recording.began + recording.seconds
        return {
            "seconds": round(recording.seconds, 1),
            "counts": {name: len(getattr(comparison, name)) for name in ("kept", "moved", "new", "gone")},
            "events": _listed(comparison, end),
        }


def converted(body: object, expected: type[_T]) -> _T:
    """Convert decoded JSON to ``expected``.

    Raises:
        WhatIfError: it has another type or range.
    """
    try:
        return msgspec.convert(body, expected)
    except msgspec.ValidationError as error:
        raise WhatIfError(str(error)) from error
    except (ValueError, OverflowError) as error:
        raise WhatIfError("a value is out of range") from error


def settings_from(body: object) -> DecideSettings:
    """Return the thresholds in a request.

    Raises:
        WhatIfError: a key that does not exist, a value outside its range, or two that contradict each other.
    """
    decide = converted(body, DecideSettings)
    wrong = contradictions(Settings(decide=decide))
    if wrong:
        raise WhatIfError(": ".join(wrong[0]))
    return decide


def zones_from(body: object) -> tuple[Zone, ...]:
    """Return the privacy zones in a request.

    Raises:
        WhatIfError: one is not a simple polygon; the message names it.
    """
    zones = converted(body, tuple[Zone, ...])
    wrong = contradictions(Settings(privacy=PrivacySettings(zones=zones)))
    if wrong:
        raise WhatIfError(": ".join(wrong[0]))
    return zones


def change_between(before: DecideSettings, decide: DecideSettings) -> dict[str, Any]:
    """Return the change of overrides that leads from ``before`` to ``decide``.

    A threshold that an expression no longer has is set to the general one: null would restore that of config.yaml.
    """
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(decide)
    own_old, own_new = old.pop("emotions"), new.pop("emotions")
    change: dict[str, Any] = {key: value for key, value in new.items() if value != old[key]}
    emotions: dict[str, Any] = {}
    for name in sorted({*own_old, *own_new}):
        was, now = own_old.get(name, {}), own_new.get(name, {})
        resolved = zip(("enter", "leave"), decide.thresholds(name), strict=True)
        emotions[name] = {key: value for key, value in resolved if now.get(key) != was.get(key)}
    return {"decide": change | {"emotions": emotions}}


def rules_of(decide: DecideSettings) -> Mapping[str, object]:
    """Return the settings for the page, with the thresholds of each expression filled in."""
    return {
        **msgspec.to_builtins(decide),
        "enters": [decide.thresholds(name)[0] for name in EMOTIONS],
        "leaves": [decide.thresholds(name)[1] for name in EMOTIONS],
    }


def _listed(comparison: Comparison, end: float) -> list[dict[str, object]]:
    """Return the latest events of both sides, oldest first, by their time before the end."""
    rows = [_row("kept", event, end) for event in comparison.kept]
    rows += [_row("moved", after, end) for _, after in comparison.moved]
    rows += [_row("new", event, end) for event in comparison.new]
    rows += [_row("gone", event, end) for event in comparison.gone]
    return sorted(rows, key=lambda row: -float(str(row["ago_s"])))[-MOST_LISTED:]


def _row(fate: str, event: Event, end: float) -> dict[str, object]:
    return {
        "fate": fate,
        "ago_s": round(end - event.at, 2),
        "type": event.kind.value,
        "face": event.face,
        "emotion": event.emotion,
    }
