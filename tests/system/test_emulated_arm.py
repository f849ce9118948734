"""fer-edge on 64-bit Arm, the core of a Raspberry Pi 4, emulated: it installs, and finds the same as on this machine.

Many minutes, because every instruction is emulated: `make test-system`, not `make test`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.system.machine import PYTHONS, REPOSITORY, TREES, tool
from tests.system.service import STATUS, heard, shown
from tests.system.virtual_machine import GUEST, SUITE, VirtualMachine

pytestmark = [pytest.mark.system, pytest.mark.emulated]

# Some seconds a picture, so what is seen in one second of the film is out of sight for long.
SETTINGS = """\
device: porch
camera: {source: /var/lib/film/face_noface.mov, loop: true}
track: {lost_s: 60}
publish: {health_s: 1}
"""
FILM = "face_noface.mov"  # a face that changes and leaves
FRAMES = 160  # more than it has
FRAME_S = 0.034  # at 30 a second
FACES = 200
FACE_PX = 48  # of FER-2013
SHEET_FACES = 32  # in a row
PYTHON = "/usr/lib/fer-edge/bin/python3"


@pytest.fixture(scope="module")
def faces(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces of FER-2013 that no network was taught with, (200, 48, 48) uint8."""
    sheet = cv2.imread(str(data / "fer2013/PublicTest-00.webp"), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    rows = sheet.reshape(-1, FACE_PX, SHEET_FACES, FACE_PX).swapaxes(1, 2).reshape(-1, FACE_PX, FACE_PX)
    path = tmp_path_factory.mktemp("faces") / "faces.npy"
    np.save(path, rows[:FACES])
    return path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels for the machine, among them the one of this checkout."""
    folder = TREES / f"wheels-{PYTHONS[SUITE]}-arm64"
    tool("wheels.sh", sys.executable, PYTHONS[SUITE], "arm64", folder)
    here = tmp_path_factory.mktemp("wheels")
    for wheel in folder.glob("*.whl"):
        (here / wheel.name).hardlink_to(wheel)
    tool("project_wheel.sh", sys.executable, here)
    return here


@pytest.fixture(scope="module")
def machine(data: Path, faces: Path, wheels: Path) -> Iterator[VirtualMachine]:
    files = {
        "/wheels": wheels,
        "/var/lib/film/face_noface.mov": data / "videos" / FILM,
        "/root/faces.npy": faces,
        "/root/findings.py": GUEST / "findings.py",
    }
    machine = VirtualMachine("arm64", SETTINGS, files)
    try:
        yield machine
    finally:
        machine.close()


@pytest.fixture(scope="module")
def here(data: Path, faces: Path) -> Any:
    """Findings of this machine's processor."""
    command = [sys.executable, str(GUEST / "findings.py"), str(faces), str(data / "videos" / FILM), str(FRAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def there(machine: VirtualMachine) -> Any:
    """Findings of the emulated processor, with the program of the Debian package."""
    machine.run("systemctl stop fer-edge")
    said = machine.run(f"cd / && {PYTHON} /root/findings.py /root/faces.npy /var/lib/film/{FILM} {FRAMES} 2>/dev/null")
    machine.run("systemctl start fer-edge")
    return json.loads(said)


@pytest.fixture(scope="module")
def on_its_feet(machine: VirtualMachine) -> None:
    """The service, as the package started it at the boot, has seen its first picture."""
    machine.wait_for(STATUS, "frames ok")


def test_package_s_service_runs_from_the_boot_on_and_tells_of_a_face(
    machine: VirtualMachine, on_its_feet: None
) -> None:
    assert machine.run("uname -m") == "aarch64"
    assert "0xd08" in machine.run("cat /proc/cpuinfo")  # a Cortex-A72, Arm's part number
    assert machine.run("dpkg-query -W -f '${db:Status-Status} ${Architecture}' fer-edge") == "installed arm64"
    assert (shown(machine)["ActiveState"], shown(machine)["NRestarts"]) == ("active", "0")
    assert heard(machine, "event")["device"] == "porch"


def test_runtime_uses_its_fast_kernels_and_the_sandbox_is_as_tight_as_promised(
    machine: VirtualMachine, on_its_feet: None
) -> None:
    assert heard(machine, "info")["xnnpack"] is True
    machine.run("systemd-analyze security fer-edge --threshold=20")


def test_networks_choose_the_same_expressions_and_differ_by_one_step_at_most(here: Any, there: Any) -> None:
    assert sorted(here["networks"]) == sorted(there["networks"])
    for name, ours in here["networks"].items():
        theirs = there["networks"][name]
        assert (theirs["fast"], ours["fast"]) == (1.0, 1.0), name
        one, other = np.array(ours["outputs"]), np.array(theirs["outputs"])
        assert one.shape == (FACES, 7)
        assert np.abs(one - other).max() <= 1, name
        assert np.array_equal(one.argmax(axis=1), other.argmax(axis=1)), name
        assert len(set(one.argmax(axis=1))) >= 6, f"{name}: the faces show too few expressions"  # disgust is rare


def test_clip_tells_the_same_events_within_a_frame(here: Any, there: Any) -> None:
    def told(found: Any) -> list[tuple[Any, ...]]:
        keys = ("seq", "event_type", "face", "emotion", "previous", "reason")
        return [tuple(event[key] for key in keys) for event in found["events"]]

    assert len(here["events"]) >= 3
    assert told(there) == told(here)
    for ours, theirs in zip(here["events"], there["events"], strict=True):
        # A box may be a pixel off: INTER_LINEAR, which makes the frame smaller for the detector, rounds otherwise.
        assert theirs["at_s"] == pytest.approx(ours["at_s"], abs=FRAME_S)
        assert theirs["confidence"] == pytest.approx(ours["confidence"], abs=0.02)


def test_wheels_install_without_a_compiler_and_agree(machine: VirtualMachine) -> None:
    machine.run("systemctl stop fer-edge; python3 -m venv --without-pip /root/venv; ! command -v gcc")
    pip = "PYTHONPATH=$(echo /wheels/pip-*.whl) /root/venv/bin/python -m pip --disable-pip-version-check"
    machine.run(f"{pip} install --no-index --find-links /wheels --no-compile --only-binary=:all: fer-edge")
    assert machine.run(f"{pip} check") == "No broken requirements found."
    said = machine.done("/root/venv/bin/fer-edge check").stdout
    assert "ai-edge-litert" in said
    assert "XNNPACK, " in said


def test_package_is_purged_without_a_trace(machine: VirtualMachine) -> None:
    machine.run("dpkg --purge fer-edge")
    left = machine.run("ls -d /etc/fer-edge /usr/lib/fer-edge /var/lib/fer-edge", check=False)
    assert not [line for line in left.splitlines() if line.startswith("/")]
