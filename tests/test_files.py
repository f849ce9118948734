"""Paths, atomic writes, and the errors of outputs."""

import errno
import io
import os
from pathlib import Path

import pytest

from fer_edge.errors import UserError
from fer_edge.files import OutputFile, atomic_output, check_folder, output_errors, printable_path, user_path

FULL = Path("/dev/full")  # a full disk
OUTPUT = Path("out/clip.scores.csv")


def test_home_folder_is_expanded_and_other_paths_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/pi")
    assert user_path("~/clip.mp4") == Path("/home/pi/clip.mp4")
    assert user_path("clips/~.mp4") == Path("clips/~.mp4")


def test_unknown_home_is_left_as_it_is() -> None:
    assert user_path("~nobodyhere/clip.mp4") == Path("~nobodyhere/clip.mp4")


def test_bytes_that_are_not_utf_8_are_escaped_and_other_names_stay() -> None:
    assert printable_path(Path(os.fsdecode(b"a/caf\xe9.mp4"))) == r"a/caf\xe9.mp4"
    assert printable_path(Path("a/caf\u00e9 [1].mp4")) == "a/caf\u00e9 [1].mp4"


def test_control_characters_are_escaped() -> None:
    assert printable_path(Path("a\x1b[31m\n\u202eb.mp4")) == r"a\x1b[31m\n\u202eb.mp4"


def test_file_appears_only_after_the_block_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.csv"
    with atomic_output(path) as part:
        part.write_text("whole")
        assert not path.exists()
        assert part.suffix == ".csv"
    assert path.read_text() == "whole"
    assert [one.name for one in path.parent.iterdir()] == ["x.csv"]


def test_failure_leaves_the_older_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("older")
    with pytest.raises(RuntimeError):
        _fail_half_way(path)
    assert path.read_text() == "older"
    assert [one.name for one in tmp_path.iterdir()] == ["x.csv"]


def _fail_half_way(path: Path) -> None:
    with atomic_output(path) as part:
        part.write_text("half")
        raise RuntimeError


def test_full_disk_names_the_output_also_if_a_buffer_writes_late() -> None:
    file = io.TextIOWrapper(io.BufferedWriter(OutputFile(FULL, OUTPUT)), encoding="utf-8")
    file.write("a row")
    with pytest.raises(UserError, match=r"^out/clip\.scores\.csv: cannot be written: no space left on device$"):
        file.close()


def test_file_that_cannot_be_created_names_the_output(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^out/clip\.scores\.csv: cannot be written: no such file"):
        OutputFile(tmp_path / "none" / "part", OUTPUT)


def test_output_file_is_written(tmp_path: Path) -> None:
    with io.BufferedWriter(OutputFile(tmp_path / "part", OUTPUT)) as file:
        file.write(b"rows")
    assert (tmp_path / "part").read_bytes() == b"rows"


def test_other_errors_than_the_system_s_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), output_errors(OUTPUT):
        raise ZeroDivisionError


def test_full_disk_in_the_block_is_one_line_that_names_the_output(tmp_path: Path) -> None:
    path = tmp_path / "nano.keras"

    def fail() -> None:
        with atomic_output(path) as part:
            part.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"nano\.keras: cannot be written: no space left on device"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def fail() -> None:
        with atomic_output(tmp_path / "file" / "x.json"):
            pass

    with pytest.raises(UserError, match="cannot be written"):
        fail()


def test_data_are_synced_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "resume.npz"
    path.write_text("older")
    synced: list[tuple[str, str]] = []  # synced path, content of the output at that time
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{handle}").readlink()), path.read_text()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_output(path) as part:
        part.write_text("newer")
    assert synced == [(str(part), "older"), (str(tmp_path), "newer")]


@pytest.mark.parametrize("folder", ["runs/nano", "."])
def test_writable_folder_is_left_unchanged(tmp_path: Path, folder: str) -> None:
    check_folder(tmp_path / folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/dev/null/nano", "/proc/nano"])
def test_folder_that_cannot_be_written_is_one_line_that_names_it(folder: str) -> None:
    with pytest.raises(UserError, match=f"^{folder}: cannot be written: "):
        check_folder(Path(folder))
