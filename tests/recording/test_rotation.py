"""A bounded ring of tables."""

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
    """Rows that gzip cannot make much smaller; of one beginning always the same."""
    dice = random.Random(begin)
    return "".join(rows(Step(StepKind.TICK, begin + number + dice.random())) for number in range(count))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_ring_never_outgrows_its_bound_and_the_newest_stays(tmp_path: Path) -> None:
    ring = RotatingTables(tmp_path, 80_000)
    ring.begin("one", origin("one"))
    for number in range(100):
        ring.append(noise(1000.0 * number, 200))
        assert size(tmp_path) <= 80_000
    (recording,) = read_tables(tmp_path)
    assert recording.parts[-1].steps[-1].now >= 99_199.0
    assert recording.parts[0].steps[0].now > 1000.0  # the oldest is gone
    assert size(tmp_path) > 80_000 * (TABLES - 2) / TABLES  # and no more of it than was needed
    assert ring.written > 150_000


def test_runs_and_changed_settings_are_kept_apart_in_their_order_whatever_their_names(tmp_path: Path) -> None:
    ring = RotatingTables(tmp_path, 10**6)
    ring.begin("2026-later", origin("2026-later"))
    ring.append(noise(1.0, 3))
    ring.begin("2026-later", origin("2026-later", enter=0.8))
    ring.append(noise(5.0, 3))
    again = RotatingTables(tmp_path, 10**6)  # after a boot with a clock that is weeks behind
    again.begin("2025-earlier", origin("2025-earlier"))
    again.append(noise(1.0, 2))
    first, second = read_tables(tmp_path)
    assert (first.name, second.name) == ("2026-later", "2025-earlier")
    assert [part.decide.enter for part in first.parts] == [0.5, 0.8]
    assert [len(part.steps) for part in first.parts] == [3, 3]


def test_table_that_a_power_cut_left_half_written_gives_what_was_written_before(tmp_path: Path) -> None:
    ring = RotatingTables(tmp_path, 10**6)
    ring.begin("one", origin("one"))
    ring.append(noise(1.0, 5))
    whole = size(tmp_path)
    ring.append(noise(10.0, 50))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[: whole + 20])
    (recording,) = read_tables(tmp_path)
    assert len(recording.parts[0].steps) == 5


def test_folder_without_tables_is_no_ring(tmp_path: Path) -> None:
    (tmp_path / "scores-notes.csv.gz").touch()
    assert read_tables(tmp_path) == []


def cut_ring(folder: Path, *contents: bytes | int) -> None:
    """A ring with a whole table of the run `one`; after it tables of other runs that end early, or hold this."""
    ring = RotatingTables(folder, 10**6)
    ring.begin("one", origin("one"))
    ring.append(noise(1.0, 5))
    for number, content in enumerate(contents, start=2):
        ring.begin("cut", origin("cut"))
        ring.append(noise(1.0, 5))
        (path,) = folder.glob(f"scores-{number:08d}-*")
        path.write_bytes(path.read_bytes()[:content] if isinstance(content, int) else content)


@pytest.mark.parametrize("left", [0, 5, 12, 60, bytes(4096)])
def test_table_whose_opening_a_power_cut_took_does_not_take_the_others(tmp_path, caplog, left) -> None:
    cut_ring(tmp_path, left)
    (recording,) = read_tables(tmp_path)
    assert (recording.name, len(recording.parts[0].steps)) == ("one", 5)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "scores-00000002-cut.csv.gz: not a table of scores" in record.getMessage()


def test_several_tables_without_an_opening_are_said_once_and_whole_ones_not_at_all(tmp_path, caplog) -> None:
    cut_ring(tmp_path / "whole", 10**6)
    assert [recording.name for recording in read_tables(tmp_path / "whole")] == ["one", "cut"]
    assert not caplog.records
    cut_ring(tmp_path / "cut", 5, 0, 60)
    read_tables(tmp_path / "cut")
    (record,) = caplog.records
    assert "(and 2 more tables); passed over" in record.getMessage()
    caplog.clear()
    cut_ring(tmp_path / "twice", 5, 0)
    read_tables(tmp_path / "twice")
    assert "(and 1 more table); passed over" in caplog.text


def test_ring_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    cut_ring(tmp_path, 12)
    (tmp_path / "scores-00000001-one.csv.gz").write_bytes(b"")
    with pytest.raises(UserError, match="scores-00000001-one"):
        read_tables(tmp_path)


def test_damaged_rows_of_one_table_do_not_take_the_others(tmp_path: Path, caplog) -> None:
    cut_ring(tmp_path, gzip.compress(origin("cut").encode() + b"x,frame\n"))
    (recording,) = read_tables(tmp_path)
    assert recording.name == "one"
    assert "scores-00000002-cut.csv.gz:3: cannot be read" in caplog.text


def test_what_is_no_file_is_no_table_and_never_dropped(tmp_path: Path) -> None:
    (tmp_path / "scores-00000001-folder.csv.gz").mkdir()
    os.mkfifo(tmp_path / "scores-00000002-pipe.csv.gz")
    ring = RotatingTables(tmp_path, 20_000)
    ring.begin("one", origin("one"))
    for number in range(30):
        ring.append(noise(1000.0 * number, 200))
    (recording,) = read_tables(tmp_path)
    assert recording.name == "one"
    assert (tmp_path / "scores-00000001-folder.csv.gz").is_dir()
