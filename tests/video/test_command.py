"""The command `fer-edge video`."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from fer_edge.config.model import Settings
from fer_edge.video.command import analyze_videos
from fer_edge.video.jobs import Output, plan
from tests.video.conftest import flat_film

COMMAND = [Path(sys.executable).parent / "fer-edge", "video"]


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    (tmp_path / "config.yaml").write_text("decide: {enter: 0.6}\n")
    return ["--config", str(tmp_path / "config.yaml")]


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd)


def test_good_and_broken_video_in_one_call_give_a_line_each_and_exit_code_1(smile, tmp_path, settings) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    result = run(smile, broken, *settings, "-o", tmp_path / "out", "--write", "events,scores")
    assert result.returncode == 1
    assert result.stderr == f"fer-edge: {broken}: not a readable video\n"
    assert result.stdout.startswith(f"{smile}: 3.9 s, 40 frames, ")
    assert result.stdout.endswith(f", written to {tmp_path / 'out'}\n")
    assert result.stdout.count("\n") == 1
    assert '"enter":0.6' in (tmp_path / "out" / "smile.scores.csv").read_text().splitlines()[0]


def test_json_has_the_figures(smile, tmp_path, settings) -> None:
    result = run(smile, *settings, "-o", tmp_path, "--write", "none", "--json")
    assert result.returncode == 0
    (report,) = json.loads(result.stdout)
    assert (report["frames"], report["failure"], report["outputs"]) == (40, None, {})


def test_unknown_output_is_named_with_the_known_ones(smile, settings) -> None:
    result = run(smile, *settings, "--write", "parquet")
    assert result.returncode == 2
    assert result.stderr.startswith("Usage: fer-edge video")
    assert "--write: unknown output 'parquet'; use video, events, scores, timeline or none\n" in result.stderr


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_sigterm_leaves_no_unfinished_output(smile, tmp_path, settings, jobs) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(smile.read_bytes())
    out = tmp_path / "out"
    command = [*COMMAND, smile, other, *settings, "-o", out, "--jobs", str(jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (out.exists() and any(out.iterdir())):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not list(out.glob(".part*"))


# `fer-edge` with a limit on the size of a file.
SMALL_DISK = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); from fer_edge.__main__ import main; main()"
)


@pytest.mark.parametrize(
    ("kind", "ending", "most_bytes"),
    [
        # The header fits, the frames do not.
        pytest.param("video", "annotated.mp4", 40_000, marks=pytest.mark.slow),
        pytest.param("video", "annotated.mp4", 500, marks=pytest.mark.slow),
        pytest.param("events", "events.jsonl", 500, marks=pytest.mark.slow),
        ("scores", "scores.csv", 500),
        pytest.param("timeline", "timeline.png", 500, marks=pytest.mark.slow),
    ],
)
def test_full_disk_names_the_output_and_leaves_nothing(smile, tmp_path, settings, kind, ending, most_bytes) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-B", "-c", SMALL_DISK.format(most_bytes), "video", smile, *settings, "-o", out]
    result = subprocess.run(
        [*map(str, command), "--write", kind], capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr == f"fer-edge: {out / f'smile.{ending}'}: cannot be written: file too large\n"
    assert not list(out.iterdir())


@pytest.mark.slow
def test_special_characters_in_names_have_no_meaning(tmp_path: Path, settings) -> None:
    names = ["2024-05-01T12:30:05", "win_$_or_$", "title [dQw4w9]", "~nobodyhere"]
    for name in names:
        flat_film(tmp_path / f"{name}.mp4")
    films = [f"{name}.mp4" for name in names]
    result = run(*films, *settings, "-o", "out", "--write", "video,timeline", "--jobs", "1", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [line.partition(": 0.2 s")[0] for line in result.stdout.splitlines()] == films
    ends = ("annotated.mp4", "timeline.png")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.{end}" for name in names for end in ends}


def test_name_that_begins_with_a_tilde_is_relative_to_the_working_folder(tmp_path: Path, settings) -> None:
    result = run("~nobodyhere/x.mp4", *settings, "--write", "none", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == f"fer-edge: {tmp_path}/~nobodyhere/x.mp4: no such file or folder\n"


def test_brackets_in_names_are_printed_on_a_terminal(tmp_path: Path) -> None:
    film = flat_film(tmp_path / "title [dQw4w9] :dog:.mp4")
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=200)
    jobs = plan([film], tmp_path / "out [2]", [Output.EVENTS])
    assert analyze_videos(jobs, Settings(), console, processes=1) == 0
    table = output.getvalue().partition("longest")
    assert "title [dQw4w9] :dog:.mp4" in table[0]  # the bar
    assert "title [dQw4w9] :dog:.mp4" in table[2]
    assert "out [2]" in table[2].replace("\n", "")


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_name_that_is_not_utf_8_is_one_line_and_the_other_video_is_analysed(tmp_path: Path, settings, jobs) -> None:
    good = flat_film(tmp_path / "caf\u00e9.mp4")
    bad = Path(os.fsdecode(b"bad\xe9.mp4"))
    (tmp_path / bad).write_bytes(good.read_bytes())
    result = run(bad, good.name, *settings, "--write", "none", "--json", "--jobs", jobs, cwd=tmp_path)
    assert result.returncode == 1
    line = rf"{tmp_path}/bad\xe9.mp4: cannot be opened, the name is not UTF-8: rename it"
    assert result.stderr == f"fer-edge: {line}\n"
    reports = [(one["source"], one["frames"], one["failure"]) for one in json.loads(result.stdout)]
    assert reports == [(r"bad\xe9.mp4", 0, line), ("caf\u00e9.mp4", 3, None)]
