"""Where the daemon keeps what must outlive it."""

import os
from collections.abc import Mapping
from pathlib import Path


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The state directory that systemd made (`StateDirectory=`, systemd.exec(5)), else a user's own by the XDG rule.

    It need not exist yet.
    """
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]  # several are separated by colons
    if given:
        return Path(given)
    # A relative path is to be ignored, by the XDG base directory specification.
    home = Path(environment.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path("~/.local/state").expanduser()) / "fer-edge"
