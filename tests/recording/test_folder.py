"""Folders of tables: of videos, of the daemon, of both, or of neither."""

from pathlib import Path

import pytest

from fer_edge.config.model import DecideSettings
from fer_edge.errors import UserError
from fer_edge.recording.format import Origin, Step, StepKind, opening, rows
from fer_edge.recording.recorder import read_folder, read_sources
from fer_edge.recording.rotation import RotatingTables

TICK = rows(Step(StepKind.TICK, 1.0))


def first_lines(run: str = "") -> str:
    return opening(Origin(decide=DecideSettings(), lost_s=2.0, model="ab", source="x", run=run))


def write_videos(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.scores.csv").write_text(first_lines() + TICK)


def write_rotated(folder: Path, *runs: str) -> None:
    tables = RotatingTables(folder, 10**6)
    for run in runs:
        tables.begin(run, first_lines(run))
        tables.append(TICK)


def names(folder: Path) -> list[str]:
    return [recording.name for recording in read_folder(folder)]


def test_tables_of_videos_are_a_recording_each_and_other_outputs_and_hidden_parts_are_not_read(tmp_path) -> None:
    write_videos(tmp_path, "b", "a", ".part-7-c")
    (tmp_path / ".part-7-c.scores.csv").write_text("half writ")
    (tmp_path / "a.events.jsonl").write_text("{}\n")
    (tmp_path / "notes.csv").write_text("a,b\n")
    assert names(tmp_path) == ["a.scores.csv", "b.scores.csv"]


def test_rotated_tables_give_a_recording_for_each_run(tmp_path: Path) -> None:
    write_rotated(tmp_path, "one", "two")
    assert names(tmp_path) == ["one", "two"]


def test_both_kinds_are_read_the_daemon_s_last(tmp_path: Path) -> None:
    write_rotated(tmp_path, "one")
    write_videos(tmp_path, "zoo")
    assert names(tmp_path) == ["zoo.scores.csv", "one"]


def test_error_for_a_folder_with_neither_names_both_sources(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(UserError, match="holds no tables of scores") as caught:
        read_folder(tmp_path)
    for word in (str(tmp_path), "fer-edge video --write scores", "*.scores.csv", "record.enabled", "*.csv.gz"):
        assert word in str(caught.value)


def test_table_of_a_video_that_cannot_be_read_is_named_and_skipped(tmp_path: Path, caplog) -> None:
    write_videos(tmp_path, "a")
    write_rotated(tmp_path, "one")
    (tmp_path / "b.scores.csv").write_bytes(b"a,b\xe9\n")
    assert names(tmp_path) == ["a.scores.csv", "one"]
    (message,) = caplog.messages
    assert f"{tmp_path / 'b.scores.csv'}: not a table of scores" in message
    assert message.endswith("; skipped")


def test_folder_without_a_readable_table_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.scores.csv").write_text("a,b\n")
    with pytest.raises(UserError, match=r"a\.scores\.csv: not a table of scores"):
        read_folder(tmp_path)


def test_one_source_of_several_that_cannot_be_read_is_skipped(tmp_path: Path, caplog) -> None:
    write_videos(tmp_path, "a")
    done: list[None] = []
    sources = [tmp_path / "none.csv", tmp_path / "a.scores.csv"]
    assert [one.name for one in read_sources(sources, lambda: done.append(None))] == ["a.scores.csv"]
    assert len(done) == 2
    assert "none.csv: cannot be read: no such file" in caplog.text
    with pytest.raises(UserError, match=r"none\.csv"):
        read_sources(sources[:1], lambda: None)
