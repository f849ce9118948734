"""Text from outside (a message, a file, a broker) for a terminal or the log, without what either would obey."""

import json
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
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
