"""The command line as a whole: it answers at once, and without what a command would need."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converter.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BEGINS_S = 120.0  # until faces are read, on a machine that has other things to do
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('keras', 'tensorflow', 'matplotlib', 'tf_keras')))"


def test_the_help_lists_every_command_in_the_order_of_the_work(convert) -> None:
    ended = convert("--help", before=WITHOUT)
    assert ended.returncode == 0, ended.stderr
    places = [ended.stdout.index(f"\n  {name} ") for name in ("explore", "train", "quantize", "evaluate", "card")]
    assert places == sorted(places)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_help_of_a_command_needs_no_keras(convert, name: str) -> None:
    ended = convert(name, "--help", before=WITHOUT)
    assert ended.returncode == 0, ended.stderr
    assert f"Usage: fer-convert {name}" in ended.stdout


def test_an_unknown_command_is_a_usage_error(convert) -> None:
    ended = convert("distil")
    assert ended.returncode == 2
    assert "No such command 'distil'" in ended.stderr


def test_a_missing_path_is_a_usage_error(convert, tmp_path) -> None:
    ended = convert("explore", "--data", tmp_path / "absent.csv")
    assert ended.returncode == 2
    assert "absent.csv" in ended.stderr


@pytest.mark.slow
@pytest.mark.data
def test_a_conversion_that_is_terminated_leaves_nothing_behind(data: Path, fer2013_csv: Path, tmp_path: Path) -> None:
    models = data / "models/keras2"
    output, temporary = tmp_path / "out/mini.tflite", tmp_path / "temporary"
    temporary.mkdir()
    given = ("quantize", models / "model.json", models / "model_weights.h5", "-o", output, "--data", fer2013_csv)
    command = [sys.executable, "-m", "converter", *map(str, given)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environment) as process:
        deadline = time.monotonic() + BEGINS_S
        while not list(temporary.glob("fer-convert-*.log")):  # of the worker process
            assert process.poll() is None, "ended before it could be terminated"
            assert time.monotonic() < deadline, "no worker in time"
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(temporary.glob("fer-convert-*")) == []
    assert list(output.parent.iterdir()) == []
