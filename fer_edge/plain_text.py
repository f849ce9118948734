"""Words that are not ours, for a terminal: a message's, a file's, a broker's."""

from rich.text import Text


def plain_text(words: str, style: str = "") -> Text:
    r"""``words`` as they are: no markup, no emoji, and what a terminal would obey is written out, as `\x1b`."""
    return Text("".join(one if one.isprintable() else repr(one)[1:-1] for one in words), style=style)
