"""Where the daemon keeps what must outlive it."""

import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM = Path("/var/lib/fer-edge")  # for whoever has no home: the place of a service's state, hier(7)


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
