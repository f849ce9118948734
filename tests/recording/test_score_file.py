"""Table of scores on disk: its first line, its end, and files that are no table."""

import contextlib
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.errors import UserError
from fer_edge.recording.format import (
    MARK,
    MAX_LINE_CHARS,
    MAX_TABLE_LINES,
    NoOpening,
    Origin,
    Step,
    StepKind,
    TableError,
    opening,
    read_recording,
    rows,
)
from fer_edge.tuning.replay import replay
from fer_edge.types import Box, Face

ORIGIN = Origin(
    decide=DecideSettings(enter=0.6, emotions={"happy": Threshold(enter=0.7)}), lost_s=1.5, model="ab", source="x"
)
FACE = Face(1, Box(0.1, 0.2, 0.3, 0.4), 0.0, 0.0, np.full(7, 1 / 7, np.float32))
ONE_FACE = rows(Step(StepKind.FRAME, 0.0, (FACE,), number=0))
HEAD = opening(ORIGIN).encode()
TEXT = opening(ORIGIN) + "".join(rows(Step(StepKind.FRAME, at / 10, number=at)) for at in range(5))


@pytest.mark.parametrize("name", ["scores.csv", "scores.csv.gz"])
def test_settings_and_steps_are_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(TEXT.encode()) if name.endswith("gz") else TEXT.encode())
    recording = read_recording(path)
    assert (recording.parts[0].decide, recording.parts[0].lost_s) == (ORIGIN.decide, 1.5)
    assert [step.now for step in recording.parts[0].steps] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert recording.seconds == pytest.approx(0.4)


def test_table_truncated_within_a_line_ends_before_it(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(TEXT[:-8])
    assert len(read_recording(path).parts[0].steps) == 4


def test_truncated_gzip_gives_its_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv.gz"
    first = gzip.compress(TEXT.encode())
    second = gzip.compress(rows(Step(StepKind.FRAME, 0.5, number=5)).encode())
    path.write_bytes(first + second[: len(second) - 9])
    assert len(read_recording(path).parts[0].steps) in (5, 6)
    path.write_bytes(first + second + b"\x00garbage")
    assert len(read_recording(path).parts[0].steps) == 6


def test_gzip_truncated_anywhere_is_read_or_refused_and_never_a_bug(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv.gz"
    whole = gzip.compress(TEXT.encode())
    refused = 0
    for left in range(len(whole)):
        path.write_bytes(whole[:left])
        try:
            read_recording(path)
        except NoOpening:
            refused += 1
    assert 60 < refused < len(whole)
    path.write_bytes(whole)
    assert len(read_recording(path).parts[0].steps) == 5


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not a table of scores"),
        (b"a,b,c\n1,2,3\n", "not a table of scores"),
        (b"\x89PNG\xff\xfe", "not a table of scores"),
        (b"# fer-edge scores {nonsense}\n", "first line cannot be read"),
        (opening(ORIGIN).replace('"schema":1', '"schema":9').encode(), "another version"),
        (HEAD + b"x,frame\n", r"scores\.csv:3: cannot be read"),
        (TEXT.encode() + b"x,frame\n", r"scores\.csv:8: cannot be read"),  # below five frames and two lines above them
        (opening(ORIGIN).replace("time_s", "time").encode() + b"\n", r"scores\.csv:2: there is no column time_s"),
    ],
)
def test_other_file_is_refused_in_one_line_that_names_it(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=word) as caught:
        read_recording(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (MARK.encode() + b'{"x": ' + b"[" * 9000 + b"]" * 9000 + b"}\n", "nested too deeply"),
        (MARK.encode() + b'{"source": "caf\xe9"}\n', "cut off in its first line"),
        (MARK.encode() + b'{"lost_s": 1' + b"0" * 5000 + b"}\n", "first line cannot be read"),
        (MARK.encode() + b" " * MAX_LINE_CHARS, "first line cannot be read"),
        (HEAD + b"\xe9\n", "not a table of scores"),
        (HEAD + b"1" * MAX_LINE_CHARS, "has a line of 65536 characters"),
        (HEAD + b"nan,tick" + b"," * 22 + b"\n", "nan is not a finite number"),
        (HEAD + b'"' + b"\n" * 200_000, "field larger than field limit"),
        (HEAD + ONE_FACE.encode() * 1001, "more than 1000 faces in a frame"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_malformed_file_is_refused_in_one_short_line(tmp_path: Path, content: bytes, word: str, ending: str) -> None:
    path = tmp_path / f"scores.{ending}"
    path.write_bytes(gzip.compress(content) if ending == "csv.gz" else content)
    with pytest.raises(TableError, match=word) as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_table_that_unpacks_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv.gz"
    path.write_bytes(gzip.compress(HEAD + b"\n" * (MAX_TABLE_LINES + 1)))
    assert path.stat().st_size < 10_000
    with pytest.raises(TableError, match="holds more than"):
        read_recording(path)


@pytest.mark.parametrize("name", ["scores.csv", "scores.csv.gz"])
def test_only_a_regular_file_is_a_table(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(TableError, match="cannot be read: not a regular file"):
        read_recording(tmp_path / name)
    with pytest.raises(TableError, match="cannot be read: is a directory"):
        read_recording(tmp_path)


@given(
    st.binary(max_size=300)
    | st.text(max_size=100).map(lambda text: HEAD + text.encode())
    | st.tuples(st.integers(0, len(TEXT) - 1), st.binary(max_size=4)).map(
        lambda cut: TEXT.encode()[: cut[0]] + cut[1] + TEXT.encode()[cut[0] + 1 :]
    ),
)
def test_no_bytes_raise_anything_but_the_table_s_own_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, written in (("csv", content), ("csv.gz", content), ("csv.gz", gzip.compress(content))):
            path = Path(folder, f"scores.{name}")
            path.write_bytes(written)
            with contextlib.suppress(TableError):
                replay(read_recording(path))


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: no such file"):
        read_recording(tmp_path / "none.csv")
