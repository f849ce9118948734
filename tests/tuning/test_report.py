"""The sums as a person reads them."""

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
        (1, 1, "1.0 hours: 1 event was told (1 an hour), 1 would be", "1 face was there before the recording begins"),
        (2, 3, "1.0 hours: 2 events were told (2 an hour), 2 would be", "3 faces were there before the recording"),
        (0, 0, "1.0 hours: 0 events were told (0 an hour), 0 would be", ""),
    ],
)
def test_one_is_said_as_one(recorded, kept: int, left_out: int, first: str, second: str) -> None:
    output = io.StringIO()
    told = Comparison(kept=(EVENT,) * kept, moved=(), new=(), gone=())
    print_differences(Console(file=output, width=200), [recorded((1.0, "happy", 0.9))], [told], 1.0, left_out)
    lines = output.getvalue().splitlines()
    assert lines[0].startswith(first)
    assert "".join(lines[1:]).startswith(second)
    assert len(lines) == 1 + bool(second)
