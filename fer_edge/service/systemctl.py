"""systemctl and journalctl, run as subprocesses, and the requirements of the service commands."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_edge.errors import UserError
from fer_edge.service.paths import NAME

PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "ExecMainStatus", "StatusText", "NRestarts",
    "ActiveEnterTimestamp", "InvocationID", "FragmentPath", "MemoryCurrent",
)  # fmt: skip


def run(*command: str) -> None:
    """Run one of systemd's programs.

    Raises:
        UserError: it is missing or failed; with the last line of its output.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no outside input
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not installed: the service needs systemd") from None
    if done.returncode:
        output = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UserError(f"{' '.join(command)} failed: {output[-1] if output else f'code {done.returncode}'}")


def reset_failures() -> None:
    """Allow a start after the start limit was hit; no error for an unknown unit."""
    _output(["systemctl", "reset-failed", NAME])


def show() -> Mapping[str, str]:
    """Return the unit's properties (PROPERTIES)."""
    text = _output(["systemctl", "show", NAME, "--property", ",".join(PROPERTIES)])
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def journal_tail(lines: int) -> list[str]:
    """Return the last journal lines of the latest start; empty where the journal cannot be read."""
    invocation = show().get("InvocationID", "")
    selection = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else ["--unit", NAME]
    text = _output(["journalctl", "--quiet", "--no-pager", "--output", "cat", "--lines", str(lines), *selection])
    return text.splitlines()


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not installed: the service needs systemd") from None


BOOTED_BY_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


def need_root(verb: str) -> None:
    """Raise UserError with the full command, because pipx's folder is not in sudo's path."""
    if os.geteuid() != 0:
        raise UserError(f"root needed: sudo {Path(sys.argv[0]).resolve()} service {verb}")


def need_systemd() -> None:
    """Raise UserError where the system was not booted by systemd: a container, a chroot, another init."""
    if not BOOTED_BY_SYSTEMD.is_dir():
        raise UserError("systemd does not run here: start `fer-edge run` with this system's own service manager")
