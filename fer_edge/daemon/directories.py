"""State directory and runtime directory of the daemon."""

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "fer-edge"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs on every Linux; the folder in it must be this user's
SYSTEM = Path("/var/lib/fer-edge")  # for a user without a home, hier(7)


def runtime_folder(environment: Mapping[str, str] = os.environ, shared: Path = SHARED_MEMORY) -> Path | None:
    """Return a folder on tmpfs: its content survives the process, not a reboot.

    systemd's RuntimeDirectory= (with RuntimeDirectoryPreserve=yes), else `$XDG_RUNTIME_DIR`, else shared memory. None
    where no folder belongs to this user alone.
    """
    given = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]  # several are separated by colons
    if given:
        return Path(given)
    home = environment.get("XDG_RUNTIME_DIR")
    folder = Path(home, NAME) if home else shared / f"{NAME}-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat()
    except OSError:
        return None
    private = owner.st_uid == os.getuid() and not folder.is_symlink() and not owner.st_mode & 0o077
    return folder if private else None


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return systemd's directory (`StateDirectory=`, systemd.exec(5)), else one below `$XDG_STATE_HOME` or its default.

    It need not exist yet. It is SYSTEM for a user with neither `$HOME` nor an entry in passwd(5), as in containers.
    """
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]  # several are separated by colons
    if given:
        return Path(given)
    # The XDG base directory specification: ignore a relative path.
    home = Path(environment.get("XDG_STATE_HOME", ""))
    if home.is_absolute():
        return home / "fer-edge"
    try:
        return Path("~/.local/state/fer-edge").expanduser()
    except RuntimeError:
        return SYSTEM
