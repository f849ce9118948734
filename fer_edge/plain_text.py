"""Text from outside (a message, a file, a broker) for a terminal or the log, without what either would obey."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


def escaped(text: str) -> str:
    r"""Return ``text`` with everything but printable characters and line feeds written out, as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)


def plain_text(words: str, style: str = "") -> "Text":
    r"""Return ``words`` for rich as they are, in one line: no markup, no emoji, what cannot be printed as `\x1b`."""
    from rich.text import Text  # noqa: PLC0415  the daemon, which has no terminal, is spared its 2 MiB

    return Text(escaped(words).replace("\n", "\\n"), style=style)
