"""The shipped unit, and the unit rendered for other program paths."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fer_edge.service.paths import shipped
from fer_edge.service.unit import Program, quoted, unit_for

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = shipped("fer-edge.service")
needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: apt install systemd"
)


def test_shipped_files_are_those_of_the_repository() -> None:
    for name, path in {
        "fer-edge.service": "systemd/fer-edge.service",
        "sysusers.conf": "systemd/sysusers.conf",
        "tmpfiles.conf": "systemd/tmpfiles.conf",
        "config.yaml": "config.yaml",
    }.items():
        assert shipped(name) == (REPOSITORY / path).read_text()


def test_only_the_program_differs_from_the_shipped_unit() -> None:
    unit = unit_for(Program(("/srv/venv/bin/fer-edge",), ()), SHIPPED)
    changed = [(old, new) for old, new in zip(SHIPPED.splitlines(), unit.splitlines(), strict=True) if old != new]
    assert changed == [
        (
            "ExecStart=/opt/fer-edge/venv/bin/fer-edge run --config /etc/fer-edge/config.yaml",
            "ExecStart=/srv/venv/bin/fer-edge run --config /etc/fer-edge/config.yaml",
        )
    ]


def test_only_the_program_s_folders_in_homes_are_visible() -> None:
    home = Path("/home/pi/.local/pipx/venvs/fer-edge")
    unit = unit_for(Program((f"{home}/bin/fer-edge",), (home, Path("/home/pi/my python"))), SHIPPED)
    assert "ProtectHome=yes" not in unit
    assert f'\nProtectHome=tmpfs\nBindReadOnlyPaths={home} "/home/pi/my python"\n' in unit


def test_path_that_systemd_would_misread_is_quoted() -> None:
    assert quoted("/opt/fer-edge/venv/bin/fer-edge") == "/opt/fer-edge/venv/bin/fer-edge"
    assert quoted('/srv/100 % "$x"\\y') == '"/srv/100 %% \\"$$x\\"\\\\y"'


@needs_systemd_analyze
def test_systemd_accepts_every_line(tmp_path: Path) -> None:
    """systemd-analyze exits with 0 for an ignored line, so any output is a failure."""
    (tmp_path / "fer-edge.service").write_text(unit_for(Program(("/bin/true",), (Path("/home/a b"),)), SHIPPED))
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / "fer-edge.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd_analyze
@pytest.mark.parametrize("in_homes", [(), (Path("/home/pi/venv"),)])
def test_exposure_is_at_most_2_at_any_program_path(tmp_path: Path, in_homes: tuple[Path, ...]) -> None:
    (tmp_path / "fer-edge.service").write_text(unit_for(Program(("/bin/true",), in_homes), SHIPPED))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", tmp_path / "fer-edge.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@needs_systemd_analyze
def test_service_can_query_clock_synchronisation(tmp_path: Path) -> None:
    """Neither of systemd's two options blocks it; tests/system tries it on a booted machine."""
    (tmp_path / "fer-edge.service").write_text(unit_for(Program(("/bin/true",), ()), SHIPPED))
    command = ["systemd-analyze", "security", "--offline=true", "--json=short", tmp_path / "fer-edge.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    forbids = {row["json_field"]: row["set"] for row in json.loads(done.stdout)}
    assert (forbids["ProtectClock"], forbids["SystemCallFilter_clock"]) == (False, False)
    assert forbids["CapabilityBoundingSet_CAP_SYS_TIME"]  # setting it stays forbidden


def test_every_relaxed_directive_has_its_reason_in_a_comment() -> None:
    lines = SHIPPED.splitlines()
    for directive in ("DeviceAllow=", "RestrictAddressFamilies=", "SupplementaryGroups="):
        for number, line in enumerate(lines):
            if line.startswith(directive):
                assert lines[number - 1].startswith("#"), line
    for left_out in (
        "PrivateDevices=yes", "PrivateNetwork", "PrivateUsers=yes", "ProcSubset=pid", "IPAddressDeny", "ProtectClock",
    ):  # fmt: skip
        assert any(left_out in line for line in lines if line.startswith("#")), left_out
        assert not any(line.startswith(left_out) for line in lines), left_out
