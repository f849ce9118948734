"""`fer-edge video` as it is typed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [Path(sys.executable).parent / "fer-edge", "video"]


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    (tmp_path / "config.yaml").write_text("decide: {enter: 0.6}\n")
    return ["--config", str(tmp_path / "config.yaml")]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)


def test_good_and_broken_video_in_one_call_give_a_line_each_and_exit_code_1(smile, tmp_path, settings) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    result = run(smile, broken, *settings, "-o", tmp_path / "out", "--write", "events,scores")
    assert result.returncode == 1
    assert result.stderr == f"fer-edge: {broken}: not a video that can be read\n"
    assert result.stdout.startswith(f"{smile}: 3.9 s, 40 frames, ")
    assert result.stdout.count("\n") == 1
    assert '"enter":0.6' in (tmp_path / "out" / "smile.scores.csv").read_text().splitlines()[0]


def test_figures_come_as_json_where_asked_for(smile, tmp_path, settings) -> None:
    result = run(smile, *settings, "-o", tmp_path, "--write", "none", "--json")
    assert result.returncode == 0
    (report,) = json.loads(result.stdout)
    assert (report["frames"], report["failure"], report["outputs"]) == (40, None, {})


def test_unknown_output_is_named_with_those_there_are(smile, settings) -> None:
    result = run(smile, *settings, "--write", "parquet")
    assert result.returncode == 1
    assert (
        result.stderr
        == "fer-edge: --write: there is no 'parquet'; there are video, events, scores, timeline, or none\n"
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_ended_in_the_middle_it_leaves_nothing_half_written(smile, tmp_path, settings, jobs) -> None:
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
