"""Whole files or none."""

from pathlib import Path

import pytest

from fer_edge.files import atomic_output


def test_file_is_in_its_place_only_after_the_block_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.csv"
    with atomic_output(path) as part:
        part.write_text("whole")
        assert not path.exists()
        assert part.suffix == ".csv"
    assert path.read_text() == "whole"
    assert [one.name for one in path.parent.iterdir()] == ["x.csv"]


def test_failure_leaves_the_older_file_and_nothing_half_written(tmp_path: Path) -> None:
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
