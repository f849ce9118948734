"""Table of scores: a line with the settings in force, then a row for each face in each frame. Plain CSV or gzip.

The first line is a comment, `# fer-edge scores {...}`, so that other programs read the rest as CSV
(`pandas.read_csv(path, comment="#")`). A row reads back as exactly the same numbers.
"""

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import BinaryIO, TextIO

import msgspec
import numpy as np

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError, os_reason
from fer_edge.types import Box, Face, FaceState, Quality, RejectReason
from fer_edge.untrusted import DecodeError, decode_json, open_regular

STEP_COLUMNS = ("time_s", "step", "reason", "frame")
FACE_COLUMNS = ("face", "first_seen_s", "last_seen_s", "x", "y", "w", "h", *EMOTIONS)
GATE_COLUMNS = ("unscored", "brightness", "sharpness")
STATE_COLUMNS = ("emotion", "confidence", "outcome")  # published then; not read by a replay
COLUMNS = (*STEP_COLUMNS, *FACE_COLUMNS, *GATE_COLUMNS, *STATE_COLUMNS)
MAX_FACES = 1000  # in a frame
MAX_REASON = 200  # characters of a parse error
MARK = "# fer-edge scores "
ENDING = ".scores.csv"  # of a video's table; rotated tables have names of their own
SCHEMA = 1
MAX_LINE_CHARS = 65_536  # the longest valid line is the first, 2,000 characters with settings for each expression
# Unpacked size, since gzip packs up to 1000:1. One face at 15 fps is 1.3 million lines and 400 MB a day.
MAX_TABLE_LINES = 4_000_000
MAX_TABLE_CHARS = 1024 * 1024 * 1024


class StepKind(StrEnum):
    FRAME = "frame"
    TICK = "tick"  # time passed without a frame
    CLOSED = "closed"  # every track was closed


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One input of the event detector. The same steps in the same order give the same events."""

    kind: StepKind
    now: float  # seconds, monotonic or media time
    faces: tuple[Face, ...] = ()
    reason: str | None = None  # of a closed step
    number: int | None = None  # of a frame


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Consecutive steps with the same settings."""

    steps: tuple[Step, ...]
    decide: DecideSettings
    lost_s: float  # seconds, `track.lost_s`


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Scores of one video or of one run of the daemon; settings may have changed between its parts."""

    name: str
    parts: tuple[Part, ...]
    began_wall: float | None = None  # seconds since 1970 of time 0, None for a video

    @property
    def began(self) -> float:
        """Seconds of the first step, 0 without one."""
        return next((part.steps[0].now for part in self.parts if part.steps), 0.0)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        ends = [part.steps[-1].now for part in self.parts if part.steps]
        return ends[-1] - self.began if ends else 0.0


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a table: source, model and settings of its scores."""

    schema: int = SCHEMA
    decide: DecideSettings
    lost_s: float
    model: str  # sha256 of the network
    source: str
    began_wall: float | None = None  # seconds since 1970 of time 0, None for a video
    run: str = ""  # of rotated tables: those of one run follow each other without a gap


class RowError(ValueError):
    """A line of a table cannot be read."""

    def __init__(self, line: int, problem: str) -> None:
        """``line`` is counted from the header, which is line 1."""
        super().__init__(problem)
        self.line = line


class TableError(UserError):
    """A table of scores cannot be read; the message names the file."""


class NoOpening(TableError):  # noqa: N818 - names what the table lacks
    """The first line of a table is missing or damaged, as after a power cut."""


def header() -> str:
    """Return the line of column names."""
    return _line(COLUMNS)


def rows(step: Step, states: Sequence[FaceState] = ()) -> str:
    """Return the lines of a step; ``states`` are those of its faces, in their order, or empty."""
    begin = (_float(step.now), step.kind.value, step.reason or "", "" if step.number is None else str(step.number))
    if not step.faces:
        return _line((*begin, *[""] * (len(COLUMNS) - len(begin))))
    held: Sequence[FaceState | None] = states or [None] * len(step.faces)
    pairs = zip(step.faces, held, strict=True)
    return "".join(_line((*begin, *_face_cells(face), *_state_cells(state))) for face, state in pairs)


def steps(lines: Iterable[str]) -> Iterator[Step]:
    """Iterate the steps of a table that begins with its header.

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


def opening(origin: Origin) -> str:
    """Return the first two lines of a table."""
    return f"{MARK}{msgspec.json.encode(origin).decode()}\n{header()}"


def read_recording(path: Path) -> Recording:
    """Read a whole table.

    Raises:
        TableError: it cannot be read, or is not a table of scores.
    """
    origin, kept = read_table(path)
    return Recording(path.name, (Part(tuple(kept), origin.decide, origin.lost_s),), origin.began_wall)


def read_table(path: Path) -> tuple[Origin, list[Step]]:
    """Read the first line and the steps of a table. A line that was cut off is ignored.

    Raises:
        NoOpening: its first line is missing or damaged.
        TableError: it cannot be read otherwise.
    """
    try:
        with open_regular(path) as content:
            file = _text(content, packed=path.suffix == ".gz")
            origin = _origin(path, _first_line(path, file))
            lines = _whole_lines(file)
            first = next(lines, None)
            return origin, [] if first is None else list(steps(itertools.chain([first], lines)))
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {os_reason(error)}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not a table of scores") from error
    except RowError as error:
        raise TableError(f"{path}:{error.line + 1}: {error}") from error  # the first line is above the header
    except _TooLargeError as error:
        raise TableError(f"{path}: {error}: is this a table of scores?") from error


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Iterate the rows below the header, each with its line number."""
    reader = csv.DictReader(lines, strict=True)
    try:
        names = reader.fieldnames or ()
        missing = [name for name in (*STEP_COLUMNS, *FACE_COLUMNS, "unscored") if name not in names]
        if missing:
            raise RowError(reader.line_num, f"there is no column {missing[0]}: is this a table of scores?")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:  # the inner reader has already counted the line
        raise RowError(reader.reader.line_num, f"cannot be read: {error}") from error


def _face_cells(face: Face) -> list[str]:
    scores = [""] * len(EMOTIONS) if face.scores is None else [str(score) for score in face.scores]
    place = [_float(value) for value in (face.first_seen, face.last_seen, *face.box)]
    quality = ["", ""] if face.quality is None else [f"{value:.4g}" for value in face.quality]
    return [str(face.id), *place, *scores, face.unscored or "", *quality]


def _state_cells(state: FaceState | None) -> list[str]:
    if state is None:
        return [""] * len(STATE_COLUMNS)
    return [state.emotion or "", f"{state.confidence:.4f}", state.outcome.value]


def _step(row: Mapping[str, str]) -> Step:
    if None in row or None in row.values():  # csv's marks for surplus and for missing cells
        raise ValueError("number of cells differs from the header")
    number = int(row["frame"]) if row["frame"] else None
    faces = (_face(row),) if row["face"] else ()
    return Step(StepKind(row["step"]), _finite(row["time_s"]), faces, row["reason"] or None, number)


def _face(row: Mapping[str, str]) -> Face:
    unscored = RejectReason(row["unscored"]) if row["unscored"] else None
    with np.errstate(over="ignore"):  # becomes infinite and is rejected below
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
    """Return whether two rows are faces of one frame. Two frames may have the same time, but not the same number."""
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
    """Return the shortest text that reads back as the same number."""
    return repr(float(value))


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


class _TooLargeError(ValueError):
    """A line or the table is longer than the limit."""


def _text(content: BinaryIO, *, packed: bool) -> TextIO:
    unpacked = gzip.GzipFile(fileobj=content) if packed else content
    return io.TextIOWrapper(unpacked, encoding="utf-8", newline="")


def _first_line(path: Path, file: TextIO) -> str:
    try:
        return file.readline(MAX_LINE_CHARS)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise NoOpening(f"{path}: not a table of scores, or cut off in its first line") from error


def _origin(path: Path, line: str) -> Origin:
    if not line.startswith(MARK):
        raise NoOpening(f"{path}: not a table of scores: the first line does not start with `{MARK.strip()}`")
    try:
        origin = decode_json(line.removeprefix(MARK), Origin)
    except DecodeError as error:
        raise NoOpening(f"{path}: its first line cannot be read: {error}") from error
    if origin.schema != SCHEMA:
        raise TableError(f"{path}: written by another version of fer-edge (schema {origin.schema}, here {SCHEMA})")
    return origin


def _whole_lines(file: TextIO) -> Iterator[str]:
    """Iterate the complete lines, up to where a power cut ended the file.

    Raises:
        _TooLargeError: a line or the table exceeds its limit.
    """
    count = length = 0
    try:
        while line := file.readline(MAX_LINE_CHARS):
            count, length = count + 1, length + len(line)
            if len(line) == MAX_LINE_CHARS:
                raise _TooLargeError(f"has a line of {MAX_LINE_CHARS} characters")
            if count > MAX_TABLE_LINES or length > MAX_TABLE_CHARS:
                raise _TooLargeError(f"holds more than {MAX_TABLE_LINES} lines or {MAX_TABLE_CHARS} characters")
            if line.endswith("\n"):
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return
