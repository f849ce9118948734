"""Bounded set of rotated tables."""

import gzip
import logging
import os
import random
from pathlib import Path

import pytest

from fer_edge.config.model import DecideSettings
from fer_edge.errors import UserError
from fer_edge.recording.format import Origin, Step, StepKind, opening, rows
from fer_edge.recording.rotation import TABLES, RotatingTables, read_tables


def origin(run: str, **changes: float) -> str:
    return opening(Origin(decide=DecideSettings(**changes), lost_s=2.0, model="ab", source="camera", run=run))


def noise(begin: float, count: int) -> str:
    """Rows that gzip hardly compresses; the same for the same ``begin``."""
    dice = random.Random(begin)
    return "".join(rows(Step(StepKind.TICK, begin + number + dice.random())) for number in range(count))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_size_stays_within_its_limit_and_the_newest_rows_are_kept(tmp_path: Path) -> None:
    tables = RotatingTables(tmp_path, 80_000)
    tables.begin("one", origin("one"))
    for number in range(100):
        tables.append(noise(1000.0 * number, 200))
        assert size(tmp_path) <= 80_000
    (recording,) = read_tables(tmp_path)
    assert recording.parts[-1].steps[-1].now >= 99_199.0
    assert recording.parts[0].steps[0].now > 1000.0  # the oldest is gone
    assert size(tmp_path) > 80_000 * (TABLES - 2) / TABLES  # and no more than needed
    assert tables.written > 150_000


def test_runs_and_changed_settings_are_kept_apart_in_the_order_of_writing(tmp_path: Path) -> None:
    tables = RotatingTables(tmp_path, 10**6)
    tables.begin("2026-later", origin("2026-later"))
    tables.append(noise(1.0, 3))
    tables.begin("2026-later", origin("2026-later", enter=0.8))
    tables.append(noise(5.0, 3))
    again = RotatingTables(tmp_path, 10**6)  # after a boot with a clock that is weeks behind
    again.begin("2025-earlier", origin("2025-earlier"))
    again.append(noise(1.0, 2))
    first, second = read_tables(tmp_path)
    assert (first.name, second.name) == ("2026-later", "2025-earlier")
    assert [part.decide.enter for part in first.parts] == [0.5, 0.8]
    assert [len(part.steps) for part in first.parts] == [3, 3]


def test_truncated_table_gives_the_rows_before(tmp_path: Path) -> None:
    tables = RotatingTables(tmp_path, 10**6)
    tables.begin("one", origin("one"))
    tables.append(noise(1.0, 5))
    whole = size(tmp_path)
    tables.append(noise(10.0, 50))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[: whole + 20])
    (recording,) = read_tables(tmp_path)
    assert len(recording.parts[0].steps) == 5


def test_folder_without_tables_is_empty(tmp_path: Path) -> None:
    (tmp_path / "scores-notes.csv.gz").touch()
    assert read_tables(tmp_path) == []


def write_truncated(folder: Path, *contents: bytes | int) -> None:
    """A whole table of the run `one`, then tables of other runs, truncated or with this content."""
    tables = RotatingTables(folder, 10**6)
    tables.begin("one", origin("one"))
    tables.append(noise(1.0, 5))
    for number, content in enumerate(contents, start=2):
        tables.begin("cut", origin("cut"))
        tables.append(noise(1.0, 5))
        (path,) = folder.glob(f"scores-{number:08d}-*")
        path.write_bytes(path.read_bytes()[:content] if isinstance(content, int) else content)


@pytest.mark.parametrize("left", [0, 5, 12, 60, bytes(4096)])
def test_table_without_an_opening_does_not_hide_the_others(tmp_path, caplog, left) -> None:
    write_truncated(tmp_path, left)
    (recording,) = read_tables(tmp_path)
    assert (recording.name, len(recording.parts[0].steps)) == ("one", 5)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "scores-00000002-cut.csv.gz: not a table of scores" in record.getMessage()


def test_several_tables_without_an_opening_are_logged_once_and_whole_ones_not_at_all(tmp_path, caplog) -> None:
    write_truncated(tmp_path / "whole", 10**6)
    assert [recording.name for recording in read_tables(tmp_path / "whole")] == ["one", "cut"]
    assert not caplog.records
    write_truncated(tmp_path / "cut", 5, 0, 60)
    read_tables(tmp_path / "cut")
    (record,) = caplog.records
    assert "(and 2 more tables); skipped" in record.getMessage()
    caplog.clear()
    write_truncated(tmp_path / "twice", 5, 0)
    read_tables(tmp_path / "twice")
    assert "(and 1 more table); skipped" in caplog.text


def test_folder_without_a_readable_table_is_an_error(tmp_path: Path) -> None:
    write_truncated(tmp_path, 12)
    (tmp_path / "scores-00000001-one.csv.gz").write_bytes(b"")
    with pytest.raises(UserError, match="scores-00000001-one"):
        read_tables(tmp_path)


def test_damaged_rows_of_one_table_do_not_hide_the_others(tmp_path: Path, caplog) -> None:
    write_truncated(tmp_path, gzip.compress(origin("cut").encode() + b"x,frame\n"))
    (recording,) = read_tables(tmp_path)
    assert recording.name == "one"
    assert "scores-00000002-cut.csv.gz:3: cannot be read" in caplog.text


def test_folder_or_pipe_is_no_table_and_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "scores-00000001-folder.csv.gz").mkdir()
    os.mkfifo(tmp_path / "scores-00000002-pipe.csv.gz")
    tables = RotatingTables(tmp_path, 20_000)
    tables.begin("one", origin("one"))
    for number in range(30):
        tables.append(noise(1000.0 * number, 200))
    (recording,) = read_tables(tmp_path)
    assert recording.name == "one"
    assert (tmp_path / "scores-00000001-folder.csv.gz").is_dir()
