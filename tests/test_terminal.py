"""Standard output that cannot be written, with the real program."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "fer-edge"
FULL = Path("/dev/full")  # full(4): each write fails as on a full disk
EVENT = '{"id": "b00t-1", "device": "porch"}\n'


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("command", [["--help"], ["schema"], ["check"], ["events", "--json", "events.jsonl"]])
def test_full_disk_is_one_line(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "events.jsonl").write_text(EVENT)
    (tmp_path / "config.yaml").write_text("camera: {source: /dev/video77}\nmqtt: {host: 127.0.0.1, port: 1}\n")
    with FULL.open("w") as full:
        done = subprocess.run(
            [PROGRAM, *command], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "fer-edge: cannot write the output: no space left on device\n")


def test_reader_who_leaves_is_no_news(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(EVENT * 10_000)
    command = f"{PROGRAM} events --json events.jsonl | head -n 1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (EVENT.replace(": ", ":").replace(", ", ","), "")
