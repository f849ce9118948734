"""A path as people write it in settings, and as it can be shown to them."""

import os
from pathlib import Path


def user_path(text: str) -> Path:
    """``text`` with a leading `~` or `~name` replaced by that home folder.

    Where there is no such user it stays as it is, and whoever opens it says that there is no such file.
    """
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def printed(path: Path) -> str:
    r"""A path as any terminal, and JSON, can show it.

    A byte of it that is not UTF-8 becomes `\xe9`, and what a terminal would obey is written out, as `\n` or `\x1b`.
    """
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
