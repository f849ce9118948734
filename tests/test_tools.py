"""The shell scripts and the Makefile, where what they leave behind could mislead the next run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PIP_FAILS = """\
#!/bin/sh
[ "$1" = - ] || exit 1
cat >/dev/null
echo something-new
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout's Makefile and tools, younger than any system's Python."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copy(REPOSITORY / "setup.cfg", tmp_path)
    shutil.copytree(REPOSITORY / "tools", tmp_path / "tools", copy_function=shutil.copy)
    return tmp_path


def test_interrupted_download_leaves_no_mark_of_completeness(copy: Path) -> None:
    python, wheels = copy / "python", copy / "wheels"
    python.write_text(PIP_FAILS)
    python.chmod(0o755)
    wheels.mkdir()
    (wheels / "complete.txt").write_text("something\n")
    (wheels / "something-1-py3-none-any.whl").touch()
    done = subprocess.run([copy / "tools/wheels.sh", python, "3.11", "amd64", wheels], check=False)
    assert done.returncode == 1
    assert [path.name for path in wheels.glob("*.whl")] == []
    assert not (wheels / "complete.txt").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed: apt install make")
@pytest.mark.parametrize("name", [".venv", ".venv-converter"])
def test_existing_environment_is_kept_and_a_missing_one_is_made(copy: Path, name: str) -> None:
    target = f"{name}/bin/python"
    dry = ["make", "--dry-run", "PYTHON=python3.12", target]
    assert f"tools/make_venv.sh python3.12 {name}/bin/.." in subprocess.check_output(dry, cwd=copy, text=True)
    (copy / name / "bin").mkdir(parents=True)
    (copy / target).symlink_to(sys.executable)
    assert "make_venv.sh" not in subprocess.check_output(dry, cwd=copy, text=True)
