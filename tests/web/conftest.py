"""Fixtures of the page's tests: live state with a face in it."""

from collections.abc import Callable

import numpy as np
import pytest

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.events.lifecycle import EventDetector
from fer_edge.pipeline import Pipeline
from fer_edge.types import Box, Event, Face, Frame, RejectReason, Scores
from fer_edge.web.live_state import LiveState

PICTURE = np.full((120, 160, 3), 90, np.uint8)
SETTINGS = DecideSettings(smooth_s=0.2, enter=0.6, leave=0.4, dwell_s=0.3, arrive_s=0.5)
LOST_S = 1.0


class Nobody:
    """A publisher that is told of everything and says nothing."""

    def event(self, event: Event) -> None: ...

    def seen(self, verdicts, now) -> None: ...

    def nobody(self, now: float) -> None: ...


def scores(emotion: str, value: float) -> Scores:
    vector = np.full(7, (1.0 - value) / 6, np.float32)
    vector[EMOTIONS.index(emotion)] = value
    return vector


class Play:
    """A stage behind a real pipeline, at ten frames a second, and a clock that stands at the latest frame."""

    def __init__(self, minutes: float = 5.0) -> None:
        self.now = 0.0
        self.stage = LiveState(SETTINGS, LOST_S, minutes, clock=lambda: self.now + 0.02, wall=lambda: 1e9 + self.now)
        self._face: tuple[Scores | None, RejectReason | None] | None = None
        self._begun = 0.0
        self.pipeline = Pipeline(self._see, EventDetector(SETTINGS, LOST_S), Nobody(), [self.stage])

    def show(
        self, seconds: float, emotion: str | None, value: float = 0.9, unscored: RejectReason | None = None
    ) -> "Play":
        """So many seconds of a face with this expression; None is an empty room."""
        if emotion is None:
            self._face = None
        else:
            self._face = (None if unscored else scores(emotion, value), unscored)
        for _ in range(round(seconds * 10)):
            self.now = round(self.now + 0.1, 3)
            self.pipeline.step(Frame(PICTURE, self.now, round(self.now * 10)))
        return self

    def _see(self, frame: Frame) -> tuple[Face, ...]:
        if self._face is None:
            return ()
        return (Face(1, Box(0.3, 0.3, 0.2, 0.3), 0.1, frame.captured_at, *self._face),)


@pytest.fixture
def play() -> Callable[..., Play]:
    return Play
