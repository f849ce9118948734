"""`fer-edge service install`, which also upgrades, and `fer-edge service uninstall`."""

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
from fer_edge.service.status import hint_for, status_text, watch_start
from fer_edge.service.systemctl import need_root, need_systemd
from fer_edge.service.unit import this_program, unit_for

JOURNAL_LINES = 15
READABLE_BY_THE_SERVICE = 0o640  # a camera's URI may contain a password


def install(check_settings: Callable[[Path], object], echo: Callable[[str], None]) -> None:
    """Install this program as a service, start it, and print the status of its parts.

    ``check_settings`` raises SettingsError for a settings file that the daemon would reject. Existing settings stay;
    this version's defaults are written beside them.

    Raises:
        UserError: the installation is impossible; a service that runs is left as it was.
    """
    need_root("install")
    need_systemd()
    if PACKAGED_UNIT.exists():
        hidden = f" ({UNIT} hides it: run `fer-edge service uninstall`)" if UNIT.exists() else ""
        raise UserError(
            f"the Debian package already installed a service: use that one{hidden}, or run `apt remove fer-edge` first"
        )
    unit = unit_for(this_program(), shipped("fer-edge.service"))
    if SETTINGS.exists():
        check_settings(SETTINGS)
    install_file(SYSUSERS, shipped("sysusers.conf"))
    install_file(TMPFILES, shipped("tmpfiles.conf"))
    systemctl.run("systemd-sysusers", str(SYSUSERS))
    _install_settings(echo)
    systemctl.run("systemd-tmpfiles", "--create", str(TMPFILES))
    echo(f"unit      {UNIT} {'written' if install_file(UNIT, unit) else 'is up to date'}")
    _start(echo)
    for part in watch_start(systemctl.show, time.monotonic, time.sleep):
        echo(status_text(part))
        if hint := hint_for(part):
            echo(f"{'':18}{hint}")
    echo("The service runs and starts at boot. Status: fer-edge service status. Log: journalctl -u fer-edge")


def _install_settings(echo: Callable[[str], None]) -> None:
    default = SETTINGS.with_name(SETTINGS.name + ".default")
    install_file(default, shipped("config.yaml"))
    if SETTINGS.exists():
        echo(f"settings  {SETTINGS} kept; this version's defaults: {default.name}")
        return
    install_file(SETTINGS, shipped("config.yaml"), READABLE_BY_THE_SERVICE)
    shutil.chown(SETTINGS, group=NAME)
    echo(f"settings  {SETTINGS} written; the broker's password, if any, goes into {PASSWORD}")


def _start(echo: Callable[[str], None]) -> None:
    """Enable and restart the service; return when the daemon is ready."""
    systemctl.run("systemctl", "daemon-reload")
    systemctl.run("systemctl", "enable", "--quiet", NAME)
    os.sync()  # an installation survives a power cut right after it
    systemctl.reset_failures()
    try:
        systemctl.run("systemctl", "restart", NAME)
    except UserError as error:
        raise _not_started(systemctl.show(), systemctl.journal_tail(JOURNAL_LINES), echo) from error


def _not_started(shown: Mapping[str, str], journal: list[str], echo: Callable[[str], None]) -> UserError:
    for line in journal:
        echo(f"  {line}")
    if shown.get("ExecMainStatus") == str(EXIT_BAD_CONFIG):
        return SettingsError(f"the service does not start with these settings: correct {SETTINGS}, then install again")
    result = f"{shown.get('Result', '')}, code {shown.get('ExecMainStatus', '')}"
    return UserError(f"the service is installed, but does not start ({result}); its log: journalctl -u {NAME}")


def uninstall(echo: Callable[[str], None], *, purge: bool) -> None:
    """Stop and remove the service; with ``purge`` also settings, password, state and user.

    Where the Debian package is installed too, only the unit that hides the package's is removed.

    Raises:
        UserError: the service is not this program's to remove.
    """
    need_root("uninstall")
    need_systemd()
    packaged = PACKAGED_UNIT.exists()
    if packaged and (purge or not UNIT.exists()):  # settings, state and user are the package's as well
        raise UserError("the service belongs to the Debian package: run `apt remove fer-edge` or `apt purge fer-edge`")
    if UNIT.exists():
        systemctl.run("systemctl", "disable", "--quiet", "--now", NAME)
    removed = [path for path in (UNIT, SYSUSERS, TMPFILES) if remove_path(path)]
    systemctl.run("systemctl", "daemon-reload")
    for path in removed:
        echo(f"removed   {path}")
    if purge:
        _purge(echo)
    else:
        kept = [str(path) for path in (SETTINGS.parent, STATE, DROP_INS) if path.exists()]
        if kept:
            echo(f"kept      {', '.join(kept)} (`--purge` removes them)")
    if packaged:
        echo(f"The Debian package's service is stopped; start it: sudo systemctl enable --now {NAME}")
    echo(f"The program is still installed in {sys.prefix}.")


def _purge(echo: Callable[[str], None]) -> None:
    for path in (SETTINGS.parent, STATE, RUNTIME, DROP_INS):
        if remove_path(path):
            echo(f"removed   {path}")
    systemctl.run("systemctl", "daemon-reload")
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        return
    systemctl.run("userdel", NAME)
    echo(f"removed   user {NAME}")
