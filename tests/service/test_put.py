from pathlib import Path

import pytest

from fer_edge.errors import UserError
from fer_edge.service.paths import install_file, remove_path


def test_file_is_written_with_its_folders_and_mode_and_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "x.conf"
    assert install_file(path, "one", 0o640)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one", 0o640)
    before = path.stat().st_ino
    assert not install_file(path, "one", 0o640)
    assert path.stat().st_ino == before
    assert install_file(path, "two", 0o640)
    assert path.read_text() == "two"
    assert [one.name for one in path.parent.iterdir()] == ["x.conf"]


def test_failed_write_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/x\.conf: (Not a directory|File exists)$"):
        install_file(tmp_path / "file" / "x.conf", "one")


def test_files_and_folders_are_removed_and_missing_ones_reported(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("nowhere")
    assert remove_path(tmp_path / "folder")
    assert remove_path(tmp_path / "link")
    assert not remove_path(tmp_path / "link")
    assert list(tmp_path.iterdir()) == []
