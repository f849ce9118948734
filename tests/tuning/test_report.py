"""Summary lines of `fer-edge tune`."""

import io

import numpy as np
import pytest
from rich.console import Console

from fer_edge.tuning.replay import Comparison
from fer_edge.tuning.report import print_differences
from fer_edge.types import Box, Event, EventKind

EVENT = Event(EventKind.APPEARED, 1.0, 1, Box(0, 0, 1, 1), "happy", 0.9, np.zeros(7, np.float32))


@pytest.mark.parametrize(
    ("kept", "left_out", "first", "second"),
    [
        (
            1,
            1,
            "1.0 hours: 1 event as recorded (1 per hour), 1 with",
            "Left out: 1 face present before the recording began.",
        ),
        (
            2,
            3,
            "1.0 hours: 2 events as recorded (2 per hour), 2 with",
            "Left out: 3 faces present before the recording",
        ),
        (0, 0, "1.0 hours: 0 events as recorded (0 per hour), 0 with", ""),
    ],
)
def test_one_is_singular(recorded, kept: int, left_out: int, first: str, second: str) -> None:
    output = io.StringIO()
    comparison = Comparison(kept=(EVENT,) * kept, moved=(), new=(), gone=())
    print_differences(Console(file=output, width=200), [recorded((1.0, "happy", 0.9))], [comparison], 1.0, left_out)
    lines = output.getvalue().splitlines()
    assert lines[0].startswith(first)
    assert "".join(lines[1:]).startswith(second)
    assert len(lines) == 1 + bool(second)
