"""Steps as rows of a table and back, without loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.recording.format import COLUMNS, RowError, Step, StepKind, header, rows, steps
from fer_edge.types import Box, Face, Quality, RejectReason

SCORES = np.array([0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1], np.float32)
numbers = st.floats(allow_nan=False, allow_infinity=False)
probabilities = st.lists(st.floats(0, 1, width=32), min_size=7, max_size=7).map(
    lambda seven: np.array(seven, np.float32)
)


@st.composite
def faces(draw, number: int) -> Face:
    scores = draw(st.none() | probabilities)
    reason = None if scores is not None else draw(st.sampled_from(list(RejectReason)))
    return Face(number, Box(*(draw(numbers) for _ in range(4))), draw(numbers), draw(numbers), scores, reason)


@st.composite
def sequences(draw) -> list[Step]:
    sequence = []
    for number in range(draw(st.integers(1, 5))):
        present = tuple(draw(faces(face)) for face in range(draw(st.integers(0, 3))))
        sequence.append(Step(StepKind.FRAME, draw(numbers), present, number=number))
    sequence.append(Step(StepKind.TICK, draw(numbers)))
    sequence.append(Step(StepKind.CLOSED, draw(numbers), reason="camera"))
    return sequence


def text_of(sequence: list[Step]) -> list[str]:
    return (header() + "".join(rows(step) for step in sequence)).splitlines(keepends=True)


@given(sequences())
def test_every_number_reads_back_exactly(sequence: list[Step]) -> None:
    back = list(steps(text_of(sequence)))
    assert len(back) == len(sequence)
    for one, other in zip(sequence, back, strict=True):
        assert (one.kind, one.now, one.reason, one.number) == (other.kind, other.now, other.reason, other.number)
        for a, b in zip(one.faces, other.faces, strict=True):
            assert (a.id, a.box, a.first_seen, a.last_seen) == (b.id, b.box, b.first_seen, b.last_seen)
            assert a.unscored == b.unscored
            assert (a.scores is None) == (b.scores is None)
            assert a.scores is None or np.array_equal(a.scores, b.scores)


def test_faces_of_one_frame_are_rows_of_one_number_and_frames_of_one_time_stay_apart() -> None:
    face = Face(3, Box(0.1, 0.2, 0.3, 0.4), 0.0, 1.0, SCORES, None, Quality(120.0, 90.0))
    other = Face(4, Box(0.5, 0.2, 0.3, 0.4), 0.0, 1.0, None, RejectReason.BLURRED, Quality(120.0, 5.0))
    sequence = [Step(StepKind.FRAME, 1.0, (face, other), number=7), Step(StepKind.FRAME, 1.0, (face,), number=8)]
    lines = text_of(sequence)
    assert len(lines) == 1 + 3
    assert lines[2].startswith("1.0,frame,,7,4,0.0,1.0,0.5,0.2,0.3,0.4,,,,,,,,blurred,120,5,")
    back = list(steps(lines))
    assert [[face.id for face in step.faces] for step in back] == [[3, 4], [3]]
    assert back[0].faces[1].quality == Quality(120.0, 5.0)


def test_unreadable_row_is_named_by_its_line_counted_from_the_header() -> None:
    face = Face(3, Box(0.1, 0.2, 0.3, 0.4), 0.0, 1.0, SCORES)
    lines = text_of([Step(StepKind.FRAME, 1.0, (face,), number=0), Step(StepKind.FRAME, 2.0, (face,), number=1)])
    for wrong in (lines[2].replace("2.0,frame", "two,frame"), lines[2].replace("frame", "picture"), "2.0,frame\n"):
        for before, line in ((lines[:2], 3), ([*lines[:2], "\n", "\n"], 5)):
            with pytest.raises(RowError, match=r"^cannot be read: ") as caught:
                list(steps([*before, wrong]))
            assert caught.value.line == line
    with pytest.raises(RowError, match="a score is not a number"):
        list(steps([*lines[:2], lines[2].replace("0.3,0.1,", "nan,0.1,")]))


def test_table_with_a_missing_column_is_refused() -> None:
    with pytest.raises(RowError, match="no column last_seen_s") as caught:
        list(steps([",".join(name for name in COLUMNS if name != "last_seen_s"), "\n"]))
    assert caught.value.line == 1


def test_line_that_is_not_csv_is_named() -> None:
    lines = text_of([Step(StepKind.TICK, 1.0), Step(StepKind.TICK, 2.0)])
    assert len(list(steps(lines))) == 2
    with pytest.raises(RowError, match="cannot be read: ',' expected") as caught:
        list(steps([*lines[:2], '"2.0"x' + lines[2][3:]]))
    assert caught.value.line == 3
    with pytest.raises(RowError, match="cannot be read") as caught:
        list(steps(['"time_s"x,step\n']))
    assert caught.value.line == 1
