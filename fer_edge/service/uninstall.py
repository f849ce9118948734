"""`fer-edge service uninstall`: settings and state stay unless they are to go too."""

import pwd
import sys
from collections.abc import Callable

from fer_edge.errors import UserError
from fer_edge.service import systemctl
from fer_edge.service.paths import (
    DROP_INS,
    NAME,
    PACKAGED_UNIT,
    RUNTIME,
    SETTINGS,
    STATE,
    SYSUSERS,
    TMPFILES,
    UNIT,
)
from fer_edge.service.preconditions import need_root, need_systemd
from fer_edge.service.put import remove


def uninstall(say: Callable[[str], None], *, purge: bool) -> None:
    """Stops the service and takes it out of the system; with ``purge`` also settings, password, state and user.

    Where the Debian package was installed over it, only what hides the package's service goes.

    Raises:
        UserError: what is in the way.
    """
    need_root("uninstall")
    need_systemd()
    packaged = PACKAGED_UNIT.exists()
    if packaged and (purge or not UNIT.exists()):  # settings, state and user are the package's as well
        raise UserError("the service is the Debian package's: `apt remove fer-edge`, or `apt purge fer-edge`")
    if UNIT.exists():
        systemctl.run("systemctl", "disable", "--quiet", "--now", NAME)
    gone = [path for path in (UNIT, SYSUSERS, TMPFILES) if remove(path)]
    systemctl.run("systemctl", "daemon-reload")
    for path in gone:
        say(f"removed   {path}")
    if purge:
        _purge(say)
    else:
        kept = [str(path) for path in (SETTINGS.parent, STATE, DROP_INS) if path.exists()]
        if kept:
            say(f"kept      {', '.join(kept)} (`--purge` removes them)")
    if packaged:
        say(f"The Debian package's service is left and does not run: sudo systemctl enable --now {NAME}")
    say(f"The program itself is still in {sys.prefix}: remove it as it was installed.")


def _purge(say: Callable[[str], None]) -> None:
    for path in (SETTINGS.parent, STATE, RUNTIME, DROP_INS):
        if remove(path):
            say(f"removed   {path}")
    systemctl.run("systemctl", "daemon-reload")
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        return
    systemctl.run("userdel", NAME)
    say(f"removed   user {NAME}")
