"""A table of scores on disk: a line with the settings it was decided by, then rows. Plain, or gzip by its name.

The first line is a comment, `# fer-edge scores {...}`, so that other programs read the rest as CSV
(`pandas.read_csv(path, comment="#")`).
"""

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import msgspec

from fer_edge.config.model import DecideSettings
from fer_edge.errors import UserError
from fer_edge.recording.rows import RowError, header, steps
from fer_edge.recording.steps import Part, Recording, Step
from fer_edge.untrusted import DecodeError, decode_json, open_regular

MARK = "# fer-edge scores "
ENDING = ".scores.csv"  # of a video's table; those of a ring have names of their own
SCHEMA = 1
MAX_LINE_CHARS = 65_536  # the longest of ours has 2,000: the first, with settings for each expression
# Unpacked: gzip packs a thousand to one, so a file's size bounds nothing. A face at 15 frames a second is 1.3 million
# lines and 400 MB a day.
MAX_TABLE_LINES = 4_000_000
MAX_TABLE_CHARS = 1024 * 1024 * 1024


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
