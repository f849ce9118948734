import os
import random
from pathlib import Path

import pytest

from fer_edge.config.loader import Document
from fer_edge.config.model import Settings
from fer_edge.config.overrides import Overrides, OverridesError, OverridesFile
from fer_edge.config.runtime import RuntimeConfig

CHANGED = Overrides(paused=True, settings={"decide": {"enter": 0.7}})


def test_what_was_saved_is_loaded_and_nothing_else_lies_beside_it(tmp_path: Path) -> None:
    file = OverridesFile(tmp_path / "new" / "folder" / "porch.json")
    assert file.load() == Overrides()
    file.save(CHANGED)
    assert OverridesFile(file.path).load() == CHANGED
    file.save(Overrides())
    assert file.load() == Overrides()
    assert [path.name for path in file.path.parent.iterdir()] == ["porch.json"]


def test_power_cut_while_writing_leaves_the_old_one(tmp_path: Path) -> None:
    file = OverridesFile(tmp_path / "porch.json")
    file.save(CHANGED)
    (tmp_path / "porch.json.new").write_text('{"schema": 1, "pau')  # what a cut leaves behind
    assert file.load() == CHANGED
    file.save(Overrides())
    assert file.load() == Overrides()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"paused": "yes"}', b'{"shema": 1}', b"\xff\x00", b"[" * 9999])
def test_file_that_holds_something_else_is_one_line_and_can_be_set_aside(tmp_path: Path, content: bytes) -> None:
    file = OverridesFile(tmp_path / "porch.json")
    file.path.write_bytes(content)
    with pytest.raises(OverridesError, match=r"porch\.json: is no overrides file") as caught:
        file.load()
    assert "\n" not in str(caught.value)
    assert file.set_aside().read_bytes() == content
    assert file.load() == Overrides()


def test_disk_that_does_not_take_it_is_said_and_the_old_one_stays(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(OverridesError, match="cannot be written: File exists"):
        OverridesFile(blocked / "porch.json").save(CHANGED)
    full = OverridesFile(tmp_path / ("x" * 300 + ".json"))
    with pytest.raises(OverridesError, match="File name too long"):
        full.save(CHANGED)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "content",
    [
        b'{"schema": 1, "note": "caf\xe9"}',  # Latin-1
        random.Random(15).randbytes(500),
        b'{"settings": {"decide": ' + b'{"a": ' * 900 + b"1" + b"}" * 902,
        b'{"settings": ' + b"[" * 100_000,
        b'{"settings": {"decide": {"enter": ' + b"9" * 5000 + b"}}}",
        b" " * 100_001,
        b"\xef\xbb\xbf{}",
        b"",
    ],
)
def test_overlay_of_any_bytes_is_set_aside_and_the_daemon_starts(tmp_path: Path, content: bytes) -> None:
    file = OverridesFile(tmp_path / "porch.json")
    file.path.write_bytes(content)
    live = RuntimeConfig(Document(Settings(), {}), None, file)
    assert live.settings == Settings()
    assert (tmp_path / "porch.json.rejected").read_bytes() == content
    assert not file.path.exists()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_overlay_that_is_no_file_is_set_aside_without_waiting_for_it(tmp_path: Path, make) -> None:
    file = OverridesFile(tmp_path / "porch.json")
    make(file.path)
    assert RuntimeConfig(Document(Settings(), {}), None, file).settings == Settings()
    assert not file.path.exists()
    assert os.path.lexists(tmp_path / "porch.json.rejected")
