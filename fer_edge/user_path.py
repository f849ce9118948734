"""A path as people write it in settings."""

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
