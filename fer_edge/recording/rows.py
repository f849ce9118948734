"""Steps as rows of a table, and back, to the last bit: numbers are written in the shortest form that reads the same.

A face in a frame is a row. A frame without a face, a tick and a farewell are a row each with the face's columns empty.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite

import numpy as np

from fer_edge.emotions import EMOTIONS
from fer_edge.recording.steps import Step, StepKind
from fer_edge.types import Box, Face, Quality, Unscored, Verdict

STEP_COLUMNS = ("time_s", "step", "reason", "frame")
FACE_COLUMNS = ("face", "first_seen_s", "last_seen_s", "x", "y", "w", "h", *EMOTIONS)
GATE_COLUMNS = ("unscored", "brightness", "sharpness")
VERDICT_COLUMNS = ("emotion", "confidence", "outcome")  # what was held then; for people, a replay does not read them
COLUMNS = (*STEP_COLUMNS, *FACE_COLUMNS, *GATE_COLUMNS, *VERDICT_COLUMNS)
MAX_FACES = 1000  # in a frame
MAX_REASON = 200  # characters of what a cell held


class RowError(ValueError):
    """A line of a table is not one of ours; the message says what is wrong with it."""

    def __init__(self, line: int, why: str) -> None:
        """``line`` is counted from the header, which is 1."""
        super().__init__(why)
        self.line = line


def header() -> str:
    """The line of column names."""
    return _line(COLUMNS)


def rows(step: Step, verdicts: Sequence[Verdict] = ()) -> str:
    """The lines of a step; ``verdicts`` are those of its faces, in their order, or none."""
    begin = (_float(step.now), step.kind.value, step.reason or "", "" if step.number is None else str(step.number))
    if not step.faces:
        return _line((*begin, *[""] * (len(COLUMNS) - len(begin))))
    held: Sequence[Verdict | None] = verdicts or [None] * len(step.faces)
    pairs = zip(step.faces, held, strict=True)
    return "".join(_line((*begin, *_face_cells(face), *_held(verdict))) for face, verdict in pairs)


def steps(lines: Iterable[str]) -> Iterator[Step]:
    """The steps in a table with its header.

    Raises:
        RowError: a column is missing or a cell cannot be read, with the line.
    """
    latest: Step | None = None
    for line, row in _numbered(lines):
        try:
            step = _step(row)
        except (ValueError, TypeError) as error:
            raise RowError(line, f"cannot be read: {str(error)[:MAX_REASON]}") from error
        if latest is not None and len(latest.faces) >= MAX_FACES:
            raise RowError(line, f"has more than {MAX_FACES} faces in a frame")
        if latest is not None and not _same_frame(latest, step):
            yield latest
            latest = None
        latest = step if latest is None else _joined(latest, step)
    if latest is not None:
        yield latest


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows below the header, each with its line; RowError where a column is missing or a line is not CSV."""
    reader = csv.DictReader(lines, strict=True)
    try:
        names = reader.fieldnames or ()
        missing = [name for name in (*STEP_COLUMNS, *FACE_COLUMNS, "unscored") if name not in names]
        if missing:
            raise RowError(reader.line_num, f"there is no column {missing[0]}: is this a table of scores?")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:  # the inner reader has counted the line, the outer one not yet
        raise RowError(reader.reader.line_num, f"cannot be read: {error}") from error


def _face_cells(face: Face) -> list[str]:
    scores = [""] * len(EMOTIONS) if face.scores is None else [str(score) for score in face.scores]
    place = [_float(value) for value in (face.first_seen, face.last_seen, *face.box)]
    quality = ["", ""] if face.quality is None else [f"{value:.4g}" for value in face.quality]
    return [str(face.id), *place, *scores, face.unscored or "", *quality]


def _held(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return [""] * len(VERDICT_COLUMNS)
    return [verdict.emotion or "", f"{verdict.confidence:.4f}", verdict.outcome.value]


def _step(row: Mapping[str, str]) -> Step:
    if None in row or None in row.values():  # csv's word for cells beyond the header, and for those that are missing
        raise ValueError("it has not as many cells as the header")
    number = int(row["frame"]) if row["frame"] else None
    faces = (_face(row),) if row["face"] else ()
    return Step(StepKind(row["step"]), _finite(row["time_s"]), faces, row["reason"] or None, number)


def _face(row: Mapping[str, str]) -> Face:
    unscored = Unscored(row["unscored"]) if row["unscored"] else None
    with np.errstate(over="ignore"):  # it becomes infinite, and is refused
        scores = None if unscored else np.array([np.float32(row[emotion]) for emotion in EMOTIONS], np.float32)
    if scores is not None and not np.isfinite(scores).all():
        raise ValueError("a score is not a number")
    brightness, sharpness = row.get("brightness"), row.get("sharpness")
    return Face(
        id=int(row["face"]),
        box=Box(*(_finite(row[key]) for key in ("x", "y", "w", "h"))),
        first_seen=_finite(row["first_seen_s"]),
        last_seen=_finite(row["last_seen_s"]),
        scores=scores,
        unscored=unscored,
        quality=Quality(_finite(brightness), _finite(sharpness)) if brightness and sharpness else None,
    )


def _same_frame(one: Step, other: Step) -> bool:
    """Whether two rows are faces of one frame; two frames may have one time, but not one number."""
    frames = one.kind is StepKind.FRAME and other.kind is StepKind.FRAME
    return frames and bool(one.faces and other.faces) and (one.now, one.number) == (other.now, other.number)


def _joined(one: Step, other: Step) -> Step:
    return Step(one.kind, one.now, one.faces + other.faces, one.reason, one.number)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _float(value: float) -> str:
    """The shortest text that reads back as the very same number."""
    return repr(float(value))


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
