"""`fer-edge tune` on a table and on rotated tables."""

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from fer_edge.recording.format import Origin, opening, rows
from fer_edge.recording.rotation import RotatingTables
from fer_edge.tuning.command import TuneOptions, tune
from tests.tuning.conftest import PLAIN

COMMAND = [Path(sys.executable).parent / "fer-edge", "tune"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def table(recorded, tmp_path: Path) -> Path:
    recording = recorded((3, "neutral", 0.9), (1, "happy", 0.72), (3, "neutral", 0.9), (4, "happy", 0.88))
    origin = Origin(decide=PLAIN, lost_s=2.0, model="ab", source="x", run="one")
    path = tmp_path / "clip.scores.csv"
    text = "".join(rows(step) for step in recording.parts[0].steps)
    path.write_text(opening(origin) + text)
    ring = RotatingTables(tmp_path / "ring", 10**6)
    ring.begin("one", opening(origin))
    ring.append(text)
    return path


def test_unchanged_settings_keep_every_event_and_the_sweep_is_shown(table: Path) -> None:
    result = run(table)
    assert result.returncode == 0, result.stderr
    assert "5 events as recorded" in result.stdout
    assert "5 kept, 0 moved, 0 new, 0 gone" in result.stdout
    assert "events per hour" in result.stdout


def test_higher_threshold_names_the_events_that_go_and_rotated_tables_give_the_same(
    table: Path, tmp_path: Path
) -> None:
    for source in (table, tmp_path / "ring"):
        result = run(source, "--set", "happy.enter=0.8", "--json")
        assert result.returncode == 0, result.stderr
        (difference,) = json.loads(result.stdout)["differences"]
        assert [(one["at"], one["emotion"]) for one in difference["gone"]] == [(3.0, "happy")]
        assert [(one["at"], one["emotion"]) for one in difference["new"]] == [
            (3.0, None)
        ]  # no expression reaches its threshold then
        assert difference["kept"] == 4


def test_picture_proposals_and_labels_come_out_together(table: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("from_s,to_s,emotion\n0,7,neutral\n7,11,happy\n")
    result = run(table, "--at-most", "1200", "--labels", labels, "-o", tmp_path / "sweep.png")
    assert result.returncode == 0, result.stderr
    assert "For at most 1200 events per hour" in result.stdout
    assert "For the best F1" in result.stdout
    assert "enter: 0.75" in result.stdout  # between no smile, 0.72, and a smile, 0.88
    picture = cv2.imread(str(tmp_path / "sweep.png"))
    assert picture is not None
    assert picture.shape[1] > 1000
    assert result.stdout.endswith(f"\nWritten to {tmp_path / 'sweep.png'}\n")
    plain = run(table, "-o", tmp_path / "sweep.png", "--json")
    assert set(json.loads(plain.stdout)) == {"hours", "differences", "sweeps", "proposals"}  # and no other output
    assert "Written" not in run(table).stdout


def output_of(table: Path, *, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100)
    assert tune([table], TuneOptions(per_hour=1200.0), console) == 0
    return output.getvalue()


def test_progress_is_shown_on_a_terminal_and_plain_lines_if_piped(table: Path) -> None:
    watched, piped = output_of(table, terminal=True), output_of(table, terminal=False)
    for part in ("reading", "replay with these settings", "thresholds for happy", "common floor"):
        assert part in watched
        assert part not in piped
    assert "100%" in watched
    assert "\x1b" not in piped
    assert not {"│", "━", "╭"} & set(piped)
    assert piped.startswith("11.0 seconds: 5 events as recorded")


def test_unusable_input_is_one_line_on_stderr(table: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("a,b\n")
    (tmp_path / "wrong.yaml").write_text("decide: {enter: 7}\n")
    for arguments, code, word in (
        ([tmp_path / "empty"], 1, "holds no tables"),
        ([tmp_path / "other.csv"], 1, "not a table of scores"),
        ([table, "--config", tmp_path / "wrong.yaml"], 78, "between 0 and 1"),
        ([table, "--labels", tmp_path / "none.csv"], 1, "cannot be read"),
        ([table, "-o", tmp_path / "none" / "x.png"], 1, "cannot be written"),
        ([table, "-o", tmp_path / "x.picture"], 1, "cannot be written"),
    ):
        result = run(*arguments)
        assert result.returncode == code, result.stderr
        assert word in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("rate", ["nan", "inf", "-1"])
def test_invalid_rate_is_a_usage_error(table: Path, rate: str) -> None:
    result = run(table, "--at-most", rate)
    assert result.returncode == 2
    assert "Usage: fer-edge tune" in result.stderr
    assert result.stdout == ""


def test_folder_of_a_video_s_outputs_gives_the_same_as_its_table(table: Path) -> None:
    of_table, of_folder = run(table), run(table.parent)
    assert of_folder.returncode == 0, of_folder.stderr
    assert of_folder.stdout == of_table.stdout


@pytest.mark.parametrize(
    ("change", "word"),
    [("bogus", "must be KEY=VALUE"), ("bogus=1", "unknown key"), ("enter=7", "between 0 and 1"), ("enter=[", "read")],
)
def test_invalid_change_is_a_usage_error(table: Path, change: str, word: str) -> None:
    result = run(table, "--set", change)
    assert result.returncode == 2
    assert "Usage: fer-edge tune" in result.stderr
    assert "--set " in result.stderr
    assert word in result.stderr
    assert "Traceback" not in result.stderr


def test_truncated_table_is_skipped_with_one_line_on_stderr(table: Path, tmp_path: Path) -> None:
    (tmp_path / "ring" / "scores-00000002-two.csv.gz").write_bytes(bytes(100))
    result = run(tmp_path / "ring")
    assert result.returncode == 0, result.stderr
    assert "5 events as recorded" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "scores-00000002-two.csv.gz" in result.stderr


def test_name_of_labels_with_brackets_is_printed_in_full(table: Path, tmp_path: Path) -> None:
    labels = tmp_path / "seen [mine].csv"
    labels.write_text("from_s,to_s,emotion\n0,7,neutral\n7,11,happy\n")
    result = run(table, "--labels", labels)
    assert f"For the best F1 by {labels}: " in result.stdout
