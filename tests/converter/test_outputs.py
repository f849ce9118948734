"""Files appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from converter.outputs import check_folder, replacing
from fer_edge.errors import UserError


def test_what_was_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "card.json"
    with replacing(path) as beside:
        assert beside.parent == path.parent, "a rename is only whole within one file system"
        assert beside.suffix == ".json"
        beside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_older_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "nano.weights.h5"
    path.write_text("older")

    def fail() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise KeyError("a bug stays a bug")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nano.keras"

    def fail() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"nano\.keras: cannot be written: No space left on device"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def fail() -> None:
        with replacing(tmp_path / "file" / "x.json"):
            pass

    with pytest.raises(UserError, match="cannot be written"):
        fail()


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "resume.npz"
    path.write_text("older")
    synced: list[tuple[str, str]] = []  # what is put on the disk, and what stands under the name at that moment
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{handle}").readlink()), path.read_text()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path) as beside:
        beside.write_text("newer")
    assert synced == [(str(beside), "older"), (str(tmp_path), "newer")]


@pytest.mark.parametrize("folder", ["runs/nano", "."])
def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path, folder: str) -> None:
    check_folder(tmp_path / folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/dev/null/nano", "/proc/nano"])
def test_a_folder_that_cannot_be_written_is_one_line_that_names_it(folder: str) -> None:
    with pytest.raises(UserError, match=f"^{folder}: cannot be written: "):
        check_folder(Path(folder))
