"""Where the daemon keeps what must outlive it."""

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "fer-edge"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs on every Linux; our folder in it is checked to be ours
SYSTEM = Path("/var/lib/fer-edge")  # for whoever has no home: the place of a service's state, hier(7)


def runtime_folder(environment: Mapping[str, str] = os.environ, shared: Path = SHARED_MEMORY) -> Path | None:
    """A folder in memory: what is in it outlives the process, not a reboot.

    systemd's RuntimeDirectory= (with RuntimeDirectoryPreserve=yes), else `$XDG_RUNTIME_DIR`, else shared memory. None
    where there is none that is ours alone.
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
    mine = owner.st_uid == os.getuid() and not folder.is_symlink() and not owner.st_mode & 0o077
    return folder if mine else None


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The state directory that systemd made (`StateDirectory=`, systemd.exec(5)), else a user's own by the XDG rule.

    It need not exist yet. A container's user may have neither `$HOME` nor an entry in the list of users: then it is
    SYSTEM.
    """
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]  # several are separated by colons
    if given:
        return Path(given)
    # A relative path is to be ignored, by the XDG base directory specification.
    home = Path(environment.get("XDG_STATE_HOME", ""))
    if home.is_absolute():
        return home / "fer-edge"
    try:
        return Path("~/.local/state/fer-edge").expanduser()
    except RuntimeError:
        return SYSTEM
