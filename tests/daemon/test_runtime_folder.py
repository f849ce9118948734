import os
from pathlib import Path

from fer_edge.daemon.directories import runtime_folder


def test_runtime_folder_is_that_of_systemd_else_the_user_s_else_in_shared_memory(tmp_path):
    assert runtime_folder({"RUNTIME_DIRECTORY": "/run/fer-edge"}) == Path("/run/fer-edge")
    assert runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "fer-edge"
    folder = runtime_folder({}, shared=tmp_path)
    assert folder == tmp_path / f"fer-edge-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_folder_that_others_may_write_or_that_is_a_link_is_not_used(tmp_path):
    folder = tmp_path / f"fer-edge-{os.getuid()}"
    folder.mkdir(mode=0o755)
    assert runtime_folder({}, shared=tmp_path) is None
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    assert runtime_folder({}, shared=tmp_path) is None
    assert runtime_folder({}, shared=tmp_path / "nowhere") is None
