"""What is asked of systemd, in a process of its own each time."""

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
    """Runs one of systemd's programs.

    Raises:
        UserError: it is not there, or it failed; with the last line it said.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - words of our own
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not there: fer-edge needs systemd to be a service") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise UserError(f"{' '.join(command)} failed: {said[-1] if said else f'code {done.returncode}'}")


def forget_failures() -> None:
    """Lets a service that systemd gave up be started again; one that it never heard of is none."""
    _output(["systemctl", "reset-failed", NAME])


def show() -> Mapping[str, str]:
    """How the service is, by systemd's own names (PROPERTIES)."""
    text = _output(["systemctl", "show", NAME, "--property", ",".join(PROPERTIES)])
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def last_words(lines: int) -> list[str]:
    """What the latest start of the service wrote to the journal, its end; empty where it cannot be read."""
    invocation = show().get("InvocationID", "")
    only = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else ["--unit", NAME]
    text = _output(["journalctl", "--quiet", "--no-pager", "--output", "cat", "--lines", str(lines), *only])
    return text.splitlines()


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not there: fer-edge needs systemd to be a service") from None


BOOTED_BY_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


def need_root(verb: str) -> None:
    """Raises UserError with the whole command to type, because sudo does not look where pipx puts programs."""
    if os.geteuid() != 0:
        raise UserError(f"this changes the system and needs root: sudo {Path(sys.argv[0]).resolve()} service {verb}")


def need_systemd() -> None:
    """Raises UserError where the system was not started by systemd: a container, a chroot, another init."""
    if not BOOTED_BY_SYSTEMD.is_dir():
        raise UserError("systemd does not run here: without it start `fer-edge run` by whatever starts services here")
