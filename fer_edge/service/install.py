"""`fer-edge service install`, which is also how a new version takes over from an older one."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fer_edge.errors import EXIT_BAD_CONFIG, SettingsError, UserError
from fer_edge.service import systemctl
from fer_edge.service.paths import NAME, PACKAGED_UNIT, PASSWORD, SETTINGS, SYSUSERS, TMPFILES, UNIT, shipped
from fer_edge.service.preconditions import need_root, need_systemd
from fer_edge.service.program import this_program
from fer_edge.service.put import put
from fer_edge.service.unit import unit_for
from fer_edge.service.watch import cure, line, watch

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
    put(SYSUSERS, shipped("sysusers.conf"))
    put(TMPFILES, shipped("tmpfiles.conf"))
    systemctl.run("systemd-sysusers", str(SYSUSERS))
    _put_settings(say)
    systemctl.run("systemd-tmpfiles", "--create", str(TMPFILES))
    say(f"unit      {UNIT} {'written' if put(UNIT, unit) else 'is up to date'}")
    _start(say)
    for part in watch(systemctl.show, time.monotonic, time.sleep):
        say(line(part))
        if what_to_do := cure(part):
            say(f"{'':18}{what_to_do}")
    say("The service runs, also after the next boot. More: fer-edge service status; journalctl -u fer-edge")


def _put_settings(say: Callable[[str], None]) -> None:
    default = SETTINGS.with_name(SETTINGS.name + ".default")
    put(default, shipped("config.yaml"))
    if SETTINGS.exists():
        say(f"settings  {SETTINGS} kept; this version's defaults are in {default.name} beside it")
        return
    put(SETTINGS, shipped("config.yaml"), READABLE_BY_THE_SERVICE)
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
