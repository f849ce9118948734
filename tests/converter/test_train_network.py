"""`tools/train_network.sh`: one command from FER-2013 to the int8 file of each network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent.parent / "tools/train_network.sh"


def train_network(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(TOOL), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=900)


@pytest.mark.slow
def test_nano_is_trained_quantized_and_evaluated_and_the_same_command_repeats_no_training(
    fer2013_csv: Path, tmp_path: Path
) -> None:
    ended = train_network("nano", fer2013_csv, tmp_path, "--epochs", 1, "--limit", 70)
    assert ended.returncode == 0, ended.stdout + ended.stderr

    trained = json.loads((tmp_path / "fer-nano.json").read_text())["training"]["trained"]
    assert trained["recipe"]["epochs"] == 1, "the caller's option did not win"
    assert trained["teachers"] == ["fer-small.tflite"]
    assert trained["start"] == "nano.keras"
    assert list((tmp_path / "fer-nano").glob("*.html"))

    histories = [tmp_path / run / "history.csv" for run in ("nano-1", "nano-2")]
    before = [history.stat().st_mtime_ns for history in histories]
    again = train_network("nano", fer2013_csv, tmp_path, "--epochs", 1, "--limit", 70)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [history.stat().st_mtime_ns for history in histories] == before


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
