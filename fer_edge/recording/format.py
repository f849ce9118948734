"""A table of scores on disk: a line with the settings it was decided by, then rows. Plain, or gzip by its name.

The first line is a comment, `# fer-edge scores {...}`, so that other programs read the rest as CSV
(`pandas.read_csv(path, comment="#")`).
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
from fer_edge.errors import UserError
from fer_edge.types import Box, Face, FaceState, Quality, RejectReason
from fer_edge.untrusted import DecodeError, decode_json, open_regular

STEP_COLUMNS = ("time_s", "step", "reason", "frame")
FACE_COLUMNS = ("face", "first_seen_s", "last_seen_s", "x", "y", "w", "h", *EMOTIONS)
GATE_COLUMNS = ("unscored", "brightness", "sharpness")
VERDICT_COLUMNS = ("emotion", "confidence", "outcome")  # what was held then; for people, a replay does not read them
COLUMNS = (*STEP_COLUMNS, *FACE_COLUMNS, *GATE_COLUMNS, *VERDICT_COLUMNS)
MAX_FACES = 1000  # in a frame
MAX_REASON = 200  # characters of what a cell held
MARK = "# fer-edge scores "
ENDING = ".scores.csv"  # of a video's table; those of a ring have names of their own
SCHEMA = 1
MAX_LINE_CHARS = 65_536  # the longest of ours has 2,000: the first, with settings for each expression
# Unpacked: gzip packs a thousand to one, so a file's size bounds nothing. A face at 15 frames a second is 1.3 million
# lines and 400 MB a day.
MAX_TABLE_LINES = 4_000_000
MAX_TABLE_CHARS = 1024 * 1024 * 1024


class StepKind(StrEnum):
    FRAME = "frame"
    TICK = "tick"  # time passed without a frame
    CLOSED = "closed"  # every face was said farewell to


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What the decider was given; given again in the same order it decides the same."""

    kind: StepKind
    now: float  # seconds, monotonic or media time
    faces: tuple[Face, ...] = ()
    reason: str | None = None  # of a farewell
    number: int | None = None  # of a frame


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Steps that were decided by the same settings."""

    steps: tuple[Step, ...]
    decide: DecideSettings
    lost_s: float  # seconds, `track.lost_s`


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What was kept of a video or of one run of a daemon; settings may have been reloaded between its parts."""

    name: str
    parts: tuple[Part, ...]
    began_wall: float | None = None  # seconds since 1970 of time 0, None for a video

    @property
    def began(self) -> float:
        """Seconds of the first step, 0 without one."""
        return next((part.steps[0].now for part in self.parts if part.steps), 0.0)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        ends = [part.steps[-1].now for part in self.parts if part.steps]
        return ends[-1] - self.began if ends else 0.0


class RowError(ValueError):
    """A line of a table is not one of ours; the message says what is wrong with it."""

    def __init__(self, line: int, why: str) -> None:
        """``line`` is counted from the header, which is 1."""
        super().__init__(why)
        self.line = line


def header() -> str:
    """The line of column names."""
    return _line(COLUMNS)


def rows(step: Step, verdicts: Sequence[FaceState] = ()) -> str:
    """The lines of a step; ``verdicts`` are those of its faces, in their order, or none."""
    begin = (_float(step.now), step.kind.value, step.reason or "", "" if step.number is None else str(step.number))
    if not step.faces:
        return _line((*begin, *[""] * (len(COLUMNS) - len(begin))))
    held: Sequence[FaceState | None] = verdicts or [None] * len(step.faces)
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


def _held(verdict: FaceState | None) -> list[str]:
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
    unscored = RejectReason(row["unscored"]) if row["unscored"] else None
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


class TableError(UserError):
    """A table of scores cannot be read; the message is one line that names the file."""


class NoOpening(TableError):  # noqa: N818 - it is named for what the table lacks
    """A table's first line is missing or cannot be read, as a power cut leaves it."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a table: where its scores come from and how they were decided."""

    schema: int = SCHEMA
    decide: DecideSettings
    lost_s: float
    model: str  # sha256 of the network
    source: str
    began_wall: float | None = None  # seconds since 1970 of time 0, None for a video
    run: str = ""  # of a ring: tables of one run follow each other without a hole


def opening(origin: Origin) -> str:
    """The first two lines of a table."""
    return f"{MARK}{msgspec.json.encode(origin).decode()}\n{header()}"


def read_recording(path: Path) -> Recording:
    """The whole of a table.

    Raises:
        TableError: it cannot be read, or is no table of scores; one line that says so.
    """
    origin, kept = read_table(path)
    return Recording(path.name, (Part(tuple(kept), origin.decide, origin.lost_s),), origin.began_wall)


def read_table(path: Path) -> tuple[Origin, list[Step]]:
    """The first line and the steps of a table. One that was cut off within a line ends before it.

    Raises:
        NoOpening: its first line is not there, or not one of ours.
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
        raise TableError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not a table of scores") from error
    except RowError as error:
        raise TableError(f"{path}:{error.line + 1}: {error}") from error  # above the header there is the first line
    except _TooLargeError as error:
        raise TableError(f"{path}: {error}: is this a table of scores?") from error


class _TooLargeError(ValueError):
    """A line or the whole is longer than any of ours."""


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
        raise NoOpening(f"{path}: not a table of scores that fer-edge wrote (its first line would say so)")
    try:
        origin = decode_json(line.removeprefix(MARK), Origin)
    except DecodeError as error:
        raise NoOpening(f"{path}: its first line cannot be read: {error}") from error
    if origin.schema != SCHEMA:
        raise TableError(f"{path}: written by another version of fer-edge (schema {origin.schema}, here {SCHEMA})")
    return origin


def _whole_lines(file: TextIO) -> Iterator[str]:
    """The lines up to where a power cut ended the file: what follows was never written.

    Raises:
        _TooLargeError: so long is no table of ours.
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
