"""What is live beside the picture, as lines for the page: made once for all who watch."""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import msgspec

from fer_edge.annotate import words
from fer_edge.web.live_state import Stage, Told
from fer_edge.web.whatif import rules_of

LIVE_HZ = 5.0  # how often numbers move; more is not read
LATEST_EVENTS = 10  # in every line; the page knows by their numbers which it has


class Moments:
    """Thread-safe. A line of its own for each watcher would be made 25 times a second for five of them."""

    def __init__(self, stage: Stage, watching: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._watching = watching
        self._clock = clock
        self._lock = Lock()
        self._made_at = float("-inf")
        self._line = b""

    def line(self, *, every_event: bool = False) -> bytes:
        """The latest server-sent event, at most 1 / LIVE_HZ old; or a fresh one with all events that are kept."""
        if every_event:
            return self._made(self._stage.events_after(0))
        with self._lock:
            now = self._clock()
            if now - self._made_at >= 0.9 / LIVE_HZ:  # a little less, or half of the watchers would get it twice
                self._made_at = now
                self._line = self._made(self._stage.events_after(0)[-LATEST_EVENTS:])
            return self._line

    def _made(self, events: Sequence[Told]) -> bytes:
        view = self._stage.view
        decide, _ = self._stage.rules
        moment = {
            "camera": {"state": view.camera, "reason": view.camera_reason},
            "link": {"text": view.link, "connected": view.connected},
            "faces": [
                {
                    "face": one.face,
                    "words": words(one),
                    "emotion": one.emotion,
                    "outcome": one.outcome.value,
                    "scores": [round(float(score), 3) for score in one.scores],
                }
                for one in view.verdicts
            ],
            "events": [_event(told) for told in events],
            "figures": self._stage.figures(),
            "rules": rules_of(decide),
            "watching": self._watching(),
        }
        return b"data: " + msgspec.json.encode(moment) + b"\n\n"


def _event(told: Told) -> dict[str, Any]:
    event = told.event
    return {
        "number": told.number,
        "type": event.kind.value,
        "face": event.face,
        "emotion": event.emotion,
        "previous": event.previous,
        "confidence": round(event.confidence, 3),
        "duration_s": event.duration_s,
        "reason": event.reason,
        "wall": told.wall,
    }
