"""`fer-edge service install`, which is also how a new version takes over from an older one."""

import os
import pwd
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fer_edge.errors import EXIT_BAD_CONFIG, SettingsError, UserError
from fer_edge.service import systemctl
from fer_edge.service.paths import (
    DROP_INS,
    NAME,
    PACKAGED_UNIT,
    PASSWORD,
    RUNTIME,
    SETTINGS,
    STATE,
    SYSUSERS,
    TMPFILES,
    UNIT,
    install_file,
    remove_path,
    shipped,
)
from fer_edge.service.status import cure_for, status_text, watch_start
from fer_edge.service.systemctl import need_root, need_systemd
from fer_edge.service.unit import this_program, unit_for

JOURNAL_LINES = 15
READABLE_BY_THE_SERVICE = 0o640  # a camera's address may hold a password


def install(check_settings: Callable[[Path], object], say: Callable[[str], None]) -> None:
    """Makes a service of this program, starts it, and says what it sees.

    ``check_settings`` raises SettingsError for a settings file that the daemon would refuse. Settings that are there
    are never touched: this version's defaults are put beside them.

    Raises:
        UserError: what is in the way, in one line; a service that ran before is then left as it was.
    """
    need_root("install")
    need_systemd()
    if PACKAGED_UNIT.exists():
        hidden = f"; {UNIT} hides it: `fer-edge service uninstall` first" if UNIT.exists() else ""
        raise UserError(
            f"the Debian package has a service of its own: use that one{hidden}, or `apt remove fer-edge` first"
        )
    unit = unit_for(this_program(), shipped("fer-edge.service"))
    if SETTINGS.exists():
        check_settings(SETTINGS)
    install_file(SYSUSERS, shipped("sysusers.conf"))
    install_file(TMPFILES, shipped("tmpfiles.conf"))
    systemctl.run("systemd-sysusers", str(SYSUSERS))
    _put_settings(say)
    systemctl.run("systemd-tmpfiles", "--create", str(TMPFILES))
    say(f"unit      {UNIT} {'written' if install_file(UNIT, unit) else 'is up to date'}")
    _start(say)
    for part in watch_start(systemctl.show, time.monotonic, time.sleep):
        say(status_text(part))
        if what_to_do := cure_for(part):
            say(f"{'':18}{what_to_do}")
    say("The service runs, also after the next boot. More: fer-edge service status; journalctl -u fer-edge")


def _put_settings(say: Callable[[str], None]) -> None:
    default = SETTINGS.with_name(SETTINGS.name + ".default")
    install_file(default, shipped("config.yaml"))
    if SETTINGS.exists():
        say(f"settings  {SETTINGS} kept; this version's defaults are in {default.name} beside it")
        return
    install_file(SETTINGS, shipped("config.yaml"), READABLE_BY_THE_SERVICE)
    shutil.chown(SETTINGS, group=NAME)
    say(f"settings  {SETTINGS} written; the broker's password, if it wants one, belongs in {PASSWORD}")


def _start(say: Callable[[str], None]) -> None:
    """Starts what is new, or starts it anew; returns when the daemon is ready."""
    systemctl.run("systemctl", "daemon-reload")
    systemctl.run("systemctl", "enable", "--quiet", NAME)
    os.sync()  # a device whose power is cut right after an installation should have it
    systemctl.forget_failures()
    try:
        systemctl.run("systemctl", "restart", NAME)
    except UserError as error:
        raise _not_started(systemctl.show(), systemctl.last_words(JOURNAL_LINES), say) from error


def _not_started(shown: Mapping[str, str], said: list[str], say: Callable[[str], None]) -> UserError:
    for words in said:
        say(f"  {words}")
    if shown.get("ExecMainStatus") == str(EXIT_BAD_CONFIG):
        return SettingsError(f"the service does not start with these settings: mend {SETTINGS}, then install again")
    why = f"{shown.get('Result', '')}, code {shown.get('ExecMainStatus', '')}"
    return UserError(f"the service is installed, but does not start ({why}); all it said: journalctl -u {NAME}")


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
    gone = [path for path in (UNIT, SYSUSERS, TMPFILES) if remove_path(path)]
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
        if remove_path(path):
            say(f"removed   {path}")
    systemctl.run("systemctl", "daemon-reload")
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        return
    systemctl.run("userdel", NAME)
    say(f"removed   user {NAME}")
