"""Standard output on a disk that is full, or anywhere else that takes no more: one line that says so."""

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
    r"""Return ``text`` with everything but printable characters and line feeds written out, as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)


def printable(text: str) -> str:
    r"""Return ``text`` on one line: line feeds are written out as well, as `\n`."""
    return escaped(text).replace("\n", "\\n")


def json_text(value: object) -> str:
    r"""Return ``value`` as JSON on one line in which every character is printable: others are escaped, as `\u009b`."""
    text = msgspec.json.encode(value).decode()
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def plain_text(words: str, style: str = "") -> "Text":
    r"""Return ``words`` for rich as they are, in one line: no markup, no emoji, what cannot be printed as `\x1b`."""
    from rich.text import Text  # noqa: PLC0415  the daemon, which has no terminal, is spared its 2 MiB

    return Text(printable(words), style=style)


class OutputError(UserError):
    """What the command has to say cannot be written."""


class Output(io.FileIO):
    """A file whose failures are the user's to cure; a pipe that nobody reads any more is the command line's to end."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Writes what it can of ``content``, as FileIO does.

        Raises:
            OutputError: nothing can be written.
        """
        try:
            return super().write(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write the output: {os_reason(error)}") from error


def raise_output_errors() -> None:
    """From now on a failure of standard output is an OutputError, whoever writes: click, rich or print."""
    now = sys.stdout
    if not isinstance(now, io.TextIOWrapper):  # closed, or somebody's own
        return
    raw = Output(now.fileno(), "w", closefd=False)
    lines = now.line_buffering or now.write_through
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), now.encoding, now.errors, line_buffering=lines)


def discard_output() -> None:
    """Sends what could not be written nowhere, before Python tries once more at the end and complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
