"""`fer-edge service status`: how the service is, in the form of `fer-edge check`."""

from collections.abc import Callable

from fer_edge import __version__
from fer_edge.daemon.status import status_parts
from fer_edge.errors import EXIT_FAILED
from fer_edge.service import systemctl
from fer_edge.service.paths import NAME, SETTINGS
from fer_edge.service.preconditions import need_systemd
from fer_edge.service.watch import line

JOURNAL_LINES = 5


def status(say: Callable[[str], None]) -> int:
    """Says how the service is; gives the exit code: 0 where it runs, 1 where it does not."""
    need_systemd()
    shown = systemctl.show()
    if shown.get("LoadState") == "not-found":
        say("failed  service   is not installed: sudo fer-edge service install")
        return EXIT_FAILED
    active = shown["ActiveState"] in ("active", "reloading")
    since = f" since {shown['ActiveEnterTimestamp']}" if active else f" ({shown['Result']})"
    boot = "starts at boot" if shown["UnitFileState"] == "enabled" else "does not start at boot"
    again = f", started again {shown['NRestarts']} times" if shown["NRestarts"] != "0" else ""
    say(f"{'ok' if active else 'failed':<8}service   {shown['ActiveState']}{since}, {boot}{again}")
    say(f"{'':8}program   fer-edge {__version__}, unit {shown['FragmentPath']}")
    say(f"{'':8}settings  {SETTINGS}")
    if active:
        for part in status_parts(shown["StatusText"]):
            say(line(part))
        return 0
    for words in systemctl.last_words(JOURNAL_LINES):
        say(f"{'':8}{words}")
    say(f"{'':8}start it: sudo systemctl start {NAME}")
    return EXIT_FAILED
