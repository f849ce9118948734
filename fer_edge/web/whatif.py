"""What other thresholds would have told of the last minutes; what the page's sliders show."""

from collections.abc import Mapping
from threading import Lock
from typing import TypeVar

import msgspec

from fer_edge.config.model import DecideSettings, PrivacySettings, Settings, Zone
from fer_edge.config.rules import contradictions
from fer_edge.emotions import EMOTIONS
from fer_edge.tuning.replay import Comparison, compare, replay
from fer_edge.types import Event
from fer_edge.web.live_state import LiveState

_T = TypeVar("_T")

MOST_LISTED = 200  # events; a page that shows more of them shows nothing


class WhatIfError(ValueError):
    """Settings that cannot be; the message says which and why."""


class WhatIf:
    """Tries settings. Thread-safe: one replay at a time, so that ten sliders take no more than one core's share."""

    def __init__(self, stage: LiveState) -> None:
        self._stage = stage
        self._lock = Lock()

    def tried(self, decide: DecideSettings) -> dict[str, object]:
        """The events of the last minutes by ``decide``, beside those by the settings in force."""
        with self._lock:
            recording = self._stage.recording()
            told = compare(replay(recording), replay(recording, decide))
        end = recording.began + recording.seconds
        return {
            "seconds": round(recording.seconds, 1),
            "counts": {name: len(getattr(told, name)) for name in ("kept", "moved", "new", "gone")},
            "events": _listed(told, end),
        }


def converted(words: object, expected: type[_T]) -> _T:
    """Decoded JSON as ``expected``.

    Raises:
        DraftError: it is something else.
    """
    try:
        return msgspec.convert(words, expected)
    except msgspec.ValidationError as error:
        raise WhatIfError(str(error)) from error
    except (ValueError, OverflowError) as error:
        raise WhatIfError("a value is out of range") from error


def settings_from(words: object) -> DecideSettings:
    """The settings that a page sent.

    Raises:
        DraftError: a key that does not exist, a value outside its range, or two that contradict each other.
    """
    decide = converted(words, DecideSettings)
    wrong = contradictions(Settings(decide=decide))
    if wrong:
        raise WhatIfError(": ".join(wrong[0]))
    return decide


def zones_from(words: object) -> tuple[Zone, ...]:
    """The blackout zones that a page sent.

    Raises:
        DraftError: one is no polygon in the picture; which, and why.
    """
    zones = converted(words, tuple[Zone, ...])
    wrong = contradictions(Settings(privacy=PrivacySettings(zones=zones)))
    if wrong:
        raise WhatIfError(": ".join(wrong[0]))
    return zones


def rules_of(decide: DecideSettings) -> Mapping[str, object]:
    """The settings as the page needs them: each expression's thresholds filled in."""
    own = decide.emotions
    return {
        **msgspec.to_builtins(decide),
        "enters": [_or(own[name].enter if name in own else None, decide.enter) for name in EMOTIONS],
        "leaves": [_or(own[name].leave if name in own else None, decide.leave) for name in EMOTIONS],
    }


def _or(own: float | None, common: float) -> float:
    return common if own is None else own


def _listed(told: Comparison, end: float) -> list[dict[str, object]]:
    """The latest events of both sides, oldest first, by how long before the end they were."""
    rows = [_row("kept", event, end) for event in told.kept]
    rows += [_row("moved", after, end) for _, after in told.moved]
    rows += [_row("new", event, end) for event in told.new]
    rows += [_row("gone", event, end) for event in told.gone]
    return sorted(rows, key=lambda row: -float(str(row["ago_s"])))[-MOST_LISTED:]


def _row(fate: str, event: Event, end: float) -> dict[str, object]:
    return {
        "fate": fate,
        "ago_s": round(end - event.at, 2),
        "type": event.kind.value,
        "face": event.face,
        "emotion": event.emotion,
    }
