"""Files appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from converter.outputs import replacing
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
