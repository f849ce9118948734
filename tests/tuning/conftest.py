"""Recordings made by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.recording.format import Part, Recording, Step, StepKind
from fer_edge.types import Box, Face

PLAIN = DecideSettings(smooth_s=0.0, dwell_s=0.0, arrive_s=0.0, enter=0.5, leave=0.4)


def vector(emotion: str, value: float) -> np.ndarray:
    scores = np.full(7, (1.0 - value) / 6, np.float32)
    scores[EMOTIONS.index(emotion)] = value
    return scores


@pytest.fixture
def recorded() -> Callable[..., Recording]:
    """`recorded((2.0, "happy", 0.8), ...)`: so many seconds of one face at ten frames a second, unsmoothed."""

    def make(*story: tuple[float, str, float], decide: DecideSettings = PLAIN) -> Recording:
        steps: list[Step] = []
        for seconds, emotion, value in story:
            for _ in range(round(seconds * 10)):
                now = len(steps) / 10
                face = Face(1, Box(0, 0, 1, 1), 0.0, now, vector(emotion, value))
                steps.append(Step(StepKind.FRAME, now, (face,), number=len(steps)))
        steps.append(Step(StepKind.CLOSED, len(steps) / 10, reason="stopped"))
        return Recording("by hand", (Part(tuple(steps), decide, 2.0),))

    return make
