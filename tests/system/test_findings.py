"""The script for the emulated machine, run here first: there a mistake in it shows after a quarter of an hour."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.system.machine import REPOSITORY
from tests.system.virtual_machine import GUEST


def test_findings_are_of_every_expression_network_that_ships_and_of_a_film(data: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", np.random.default_rng(1).integers(0, 256, (3, 48, 48), np.uint8))
    film = data / "videos/face_noface.mov"
    command = [sys.executable, str(GUEST / "findings.py"), str(tmp_path / "faces.npy"), str(film), "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sorted(found["networks"]) == ["fer-nano", "fer-small"]
    assert [len(network["outputs"]) for network in found["networks"].values()] == [3, 3]
    assert found["events"][0]["event_type"] == "face_appeared"
