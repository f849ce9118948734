"""`tools/train_network.sh`: one command from FER-2013 to the int8 file of each network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TOOL = REPOSITORY / "tools/train_network.sh"


def train_network(
    *arguments: object, programs: Path = Path(sys.executable).parent, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"} | variables
    command = [str(TOOL), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=900)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A folder with a `fer-convert` that only records its arguments, one line per call, beside itself."""
    programs = tmp_path / "programs"
    programs.mkdir()
    fake = programs / "fer-convert"
    fake.write_text('#!/bin/sh\necho "$@" >> "$0.log"\n')
    fake.chmod(0o755)
    return programs


def runs_of(programs: Path) -> list[str]:
    """Commands that were run, with their outputs: `train small-strong`, `quantize fer-small.tflite` ..."""
    calls = [line.split() for line in (programs / "fer-convert.log").read_text().splitlines()]
    return [f"{words[0]} {Path(words[words.index('-o') + 1]).name}" for words in calls]


@pytest.mark.slow
def test_nano_is_trained_quantized_and_evaluated_and_the_same_command_repeats_no_training(
    fer2013_csv: Path, tmp_path: Path
) -> None:
    teacher = REPOSITORY / "fer_edge/models/fer-small.tflite"
    command = ("nano", fer2013_csv, tmp_path, "--epochs", 1, "--limit", 70)
    ended = train_network(*command, TEACHER=str(teacher))
    assert ended.returncode == 0, ended.stdout + ended.stderr

    trained = json.loads((tmp_path / "fer-nano.json").read_text())["training"]["trained"]
    assert trained["recipe"]["epochs"] == 1, "the caller's option did not win"
    assert trained["teachers"] == ["fer-small.tflite"]
    assert list((tmp_path / "fer-nano").glob("*.html"))

    history = tmp_path / "nano" / "history.csv"
    before = history.stat().st_mtime_ns
    again = train_network(*command, TEACHER=str(teacher))
    assert again.returncode == 0, again.stdout + again.stderr
    assert history.stat().st_mtime_ns == before


@pytest.mark.parametrize("network", ["small", "nano", "classic"])
def test_two_networks_teach_each_of_them(told: Path, network: str) -> None:
    ended = train_network(network, "fer2013.csv", "runs", "--workers", 3, programs=told)

    assert ended.returncode == 0, ended.stderr
    ends = [f"train {network}", f"quantize fer-{network}.tflite", f"evaluate fer-{network}"]
    assert runs_of(told) == ["train small-strong", "train small-medium", *ends]
    last = (told / "fer-convert.log").read_text().splitlines()[2]
    assert "--teacher runs/small-strong/small.keras --teacher runs/small-medium/small.keras" in last
    assert ("--start runs/small-medium/small.keras" in last) == (network == "small")
    assert last.endswith("--workers 3")


def test_another_teacher_spares_nano_the_two(told: Path) -> None:
    ended = train_network("nano", "fer2013.csv", "runs", programs=told, TEACHER="other.keras")

    assert ended.returncode == 0, ended.stderr
    assert runs_of(told) == ["train nano", "quantize fer-nano.tflite", "evaluate fer-nano"]
    assert "--teacher other.keras" in (told / "fer-convert.log").read_text()


def test_unknown_network_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    ended = train_network("tiny", "fer2013.csv", tmp_path / "runs")

    assert ended.returncode == 2
    assert ended.stderr == "there is no network tiny: small, nano or classic\n"
    assert not (tmp_path / "runs").exists()


def test_missing_arguments_are_a_usage_line(tmp_path: Path) -> None:
    ended = train_network("small")

    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: ")
    assert ended.stderr.count("\n") == 1
