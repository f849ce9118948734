"""Where the daemon keeps notes for its next start that are not worth a write to a disk."""

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "fer-edge"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs on every Linux; our folder in it is checked to be ours


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
