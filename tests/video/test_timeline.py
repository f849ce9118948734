"""The timeline as SVG, where its texts can be read."""

from pathlib import Path

import numpy as np
import pytest

from fer_edge.types import Box, Event, EventKind
from fer_edge.video.timeline import Trace, Traces, draw_timeline

SCORES = np.full(7, 1 / 7, np.float32)


@pytest.mark.parametrize(("faces", "stated"), [(9, True), (8, False)])
def test_title_has_the_number_of_faces_if_not_all_are_drawn(tmp_path: Path, faces, stated) -> None:
    traces = Traces()
    for face in range(faces):
        traces.faces[face] = Trace(times=[0.0], held=[None], scores=[SCORES], frames=1, ended=1.0)
        traces.events.append(Event(EventKind.APPEARED, 0.0, face, Box(0, 0, 1, 1), None, 0.5, SCORES))
    draw_timeline(traces, "clip.mp4", tmp_path / "clip.svg")
    drawn = (tmp_path / "clip.svg").read_text()  # each text is repeated in a comment
    assert "<!-- clip.mp4" in drawn
    assert ("<!-- clip.mp4: the 8 of 9 faces that were longest in sight -->" in drawn) == stated
    assert ("longest in sight" in drawn) == stated
