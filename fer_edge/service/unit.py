"""The installed unit: the shipped text with this installation's program. Pure."""

import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fer_edge
from fer_edge.errors import UserError

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # hidden by ProtectHome=
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - emptied by PrivateTmp=; not written to
READ_AND_PASS = stat.S_IROTH | stat.S_IXOTH
PLAIN = re.compile(r"[\w@+=:,./-]+")  # a word that needs no quotes in a unit
EXEC_START = re.compile(r"^ExecStart=\S+", re.MULTILINE)
PROTECT_HOME = re.compile(r"^ProtectHome=yes$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """Command of the service, and its folders that ProtectHome= would hide."""

    command: tuple[str, ...]
    in_homes: tuple[Path, ...]
    """Folders in homes, bind-mounted read-only."""


def this_program() -> Program:
    """Return the program that runs now.

    Raises:
        UserError: the service's user could not run it.
    """
    script = Path(sys.prefix, "bin", "fer-edge")
    command = (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "fer_edge")
    code = Path(fer_edge.__file__).resolve().parent.parent  # outside the environment if installed as editable
    return reachable(command, [Path(sys.prefix), Path(sys.base_prefix), code])


def reachable(
    command: Sequence[str],
    folders: Sequence[Path],
    homes: Sequence[Path] = HOMES,
    temporary: Sequence[Path] = TEMPORARY,
) -> Program:
    """Return the program of ``command``, which needs ``folders``.

    Raises:
        UserError: a folder is temporary, or other users cannot read it.
    """
    in_homes: list[Path] = []
    for folder in folders:
        if _below(folder, temporary):
            raise UserError(f"{folder}: temporary folder, hidden from services: install fer-edge elsewhere")
        at_home = _below(folder, homes)
        # A folder in a home is bind-mounted, so only it must be readable, not its parents.
        for each in [folder] if at_home else [folder, *folder.parents]:
            if each.stat().st_mode & READ_AND_PASS != READ_AND_PASS:
                raise UserError(f"{each}: the service's user cannot read it: chmod o+rx {each}")
        if at_home and not _below(folder, in_homes):
            in_homes.append(folder)
    return Program(tuple(command), tuple(in_homes))


def _below(folder: Path, tops: Sequence[Path]) -> bool:
    return any(folder.is_relative_to(top) for top in tops)


def unit_for(program: Program, shipped: str) -> str:
    """Return ``shipped`` with the first word of ExecStart= replaced by ``program``.

    For a program in a home, ProtectHome= becomes `tmpfs`, with the program's folders bind-mounted read-only.
    """
    command = " ".join(quoted(word) for word in program.command)
    unit, count = EXEC_START.subn(lambda _: f"ExecStart={command}", shipped)
    assert count == 1, "the shipped unit has one ExecStart="
    if not program.in_homes:
        return unit
    shown = " ".join(quoted(str(folder)) for folder in program.in_homes)
    lines = f"# The program is in a home: only its folders are visible.\nProtectHome=tmpfs\nBindReadOnlyPaths={shown}"
    unit, count = PROTECT_HOME.subn(lambda _: lines, unit)
    assert count == 1, "the shipped unit has one ProtectHome=yes"
    return unit


def quoted(word: str) -> str:
    """Return ``word`` quoted for a unit where needed, with specifiers escaped."""
    if PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
