"""What the disk refuses is said of the output."""

import io
from pathlib import Path

import pytest

from fer_edge.errors import UserError
from fer_edge.files import OutputFile, output_errors

FULL = Path("/dev/full")  # Linux's own disk that is full
OUTPUT = Path("out/clip.scores.csv")


def test_full_disk_is_said_of_the_output_also_where_a_buffer_writes_late() -> None:
    file = io.TextIOWrapper(io.BufferedWriter(OutputFile(FULL, OUTPUT)), encoding="utf-8")
    file.write("a row")
    with pytest.raises(UserError, match=r"^out/clip\.scores\.csv: cannot be written: no space left on device$"):
        file.close()


def test_file_that_cannot_be_made_is_said_of_the_output(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^out/clip\.scores\.csv: cannot be written: no such file"):
        OutputFile(tmp_path / "none" / "part", OUTPUT)


def test_what_can_be_written_is(tmp_path: Path) -> None:
    with io.BufferedWriter(OutputFile(tmp_path / "part", OUTPUT)) as file:
        file.write(b"rows")
    assert (tmp_path / "part").read_bytes() == b"rows"


def test_only_what_the_system_refuses_is_a_matter_of_writing() -> None:
    with pytest.raises(ZeroDivisionError), output_errors(OUTPUT):
        raise ZeroDivisionError
