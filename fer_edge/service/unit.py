"""The unit as it is installed: the shipped text, with the program of this machine in it. Pure."""

import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fer_edge
from fer_edge.errors import UserError

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome= hides from a service
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - what PrivateTmp= replaces by empty ones; nothing is put there
READ_AND_PASS = stat.S_IROTH | stat.S_IXOTH
PLAIN = re.compile(r"[\w@+=:,./-]+")  # what systemd takes as one word, unquoted
EXEC_START = re.compile(r"^ExecStart=\S+", re.MULTILINE)
PROTECT_HOME = re.compile(r"^ProtectHome=yes$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """What systemd starts, and what of it lies where a service would not see it."""

    command: tuple[str, ...]
    in_homes: tuple[Path, ...]
    """Folders in homes, which are shown to the service read-only, each in its place."""


def this_program() -> Program:
    """The program that runs now.

    Raises:
        UserError: the service's user could not run it; one line that says what to do.
    """
    script = Path(sys.prefix, "bin", "fer-edge")
    command = (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "fer_edge")
    code = Path(fer_edge.__file__).resolve().parent.parent  # elsewhere than the environment where it is editable
    return reachable(command, [Path(sys.prefix), Path(sys.base_prefix), code])


def reachable(
    command: Sequence[str],
    folders: Sequence[Path],
    homes: Sequence[Path] = HOMES,
    temporary: Sequence[Path] = TEMPORARY,
) -> Program:
    """The program that ``command`` starts and that needs ``folders``.

    Raises:
        UserError: one of the folders is temporary, or closed to other users.
    """
    in_homes: list[Path] = []
    for folder in folders:
        if _below(folder, temporary):
            raise UserError(f"{folder}: a service cannot run from a temporary folder: install fer-edge elsewhere")
        at_home = _below(folder, homes)
        # A folder in a home is bound into the service's view, so only it must be open, not the way to it.
        for each in [folder] if at_home else [folder, *folder.parents]:
            if each.stat().st_mode & READ_AND_PASS != READ_AND_PASS:
                raise UserError(f"{each}: other users cannot read it, so the service cannot: chmod o+rx {each}")
        if at_home and not _below(folder, in_homes):
            in_homes.append(folder)
    return Program(tuple(command), tuple(in_homes))


def _below(folder: Path, tops: Sequence[Path]) -> bool:
    return any(folder.is_relative_to(top) for top in tops)


def unit_for(program: Program, shipped: str) -> str:
    """The text of ``shipped`` with the first word of ExecStart= replaced by ``program``.

    Where it lies in somebody's home, homes become empty folders in which only the program is shown, read-only.
    """
    command = " ".join(quoted(word) for word in program.command)
    unit, count = EXEC_START.subn(lambda _: f"ExecStart={command}", shipped)
    assert count == 1, "the shipped unit has one ExecStart="
    if not program.in_homes:
        return unit
    shown = " ".join(quoted(str(folder)) for folder in program.in_homes)
    lines = f"# The program is in a home: of all homes only it is shown.\nProtectHome=tmpfs\nBindReadOnlyPaths={shown}"
    unit, count = PROTECT_HOME.subn(lambda _: lines, unit)
    assert count == 1, "the shipped unit has one ProtectHome=yes"
    return unit


def quoted(word: str) -> str:
    """``word`` as systemd reads it back: quoted where it must be, and with nothing of it taken for a specifier."""
    if PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
