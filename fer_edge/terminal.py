"""Terminal output: escaping of control characters, and write errors of standard output as user errors."""

import io
import json
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from fer_edge.errors import UserError, os_reason

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.text import Text


def escaped(text: str) -> str:
    r"""Return ``text`` with all but printable characters and line feeds escaped, as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)


def printable(text: str) -> str:
    r"""Return ``text`` on one line: line feeds are escaped as well, as `\n`."""
    return escaped(text).replace("\n", "\\n")


def json_text(value: object) -> str:
    r"""Return ``value`` as JSON on one line; characters that are not printable are escaped, as `\u009b`."""
    text = msgspec.json.encode(value).decode()
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def plain_text(words: str, style: str = "") -> "Text":
    r"""Return ``words`` for rich as one escaped line, without markup and emoji."""
    from rich.text import Text  # noqa: PLC0415  2 MiB that the daemon does not need

    return Text(printable(words), style=style)


class OutputError(UserError):
    """Standard output cannot be written."""


class Output(io.FileIO):
    """Raw standard output that raises OutputError; a closed pipe is handled by the command line."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write like FileIO.

        Raises:
            OutputError: the write failed.
        """
        try:
            return super().write(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write the output: {os_reason(error)}") from error


def raise_output_errors() -> None:
    """Replace sys.stdout, so that write errors of click, rich and print raise OutputError."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper):  # closed or replaced
        return
    raw = Output(stdout.fileno(), "w", closefd=False)
    line_buffering = stdout.line_buffering or stdout.write_through
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), stdout.encoding, stdout.errors, line_buffering=line_buffering)


def discard_output() -> None:
    """Redirect stdout to /dev/null, so that Python's flush at exit does not fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
