"""The unit as it is installed: the shipped text, with the program of this machine in it. Pure."""

import re

from fer_edge.service.program import Program

PLAIN = re.compile(r"[\w@+=:,./-]+")  # what systemd takes as one word, unquoted
EXEC_START = re.compile(r"^ExecStart=\S+", re.MULTILINE)
PROTECT_HOME = re.compile(r"^ProtectHome=yes$", re.MULTILINE)


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
