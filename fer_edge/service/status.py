"""`fer-edge service status`: status of the service and of the daemon's parts, in the format of `fer-edge check`."""

from collections.abc import Callable, Iterator, Mapping

from fer_edge import __version__
from fer_edge.daemon.status import StatusPart, status_parts
from fer_edge.errors import EXIT_FAILED
from fer_edge.service import systemctl
from fer_edge.service.paths import NAME, PASSWORD, SETTINGS
from fer_edge.service.systemctl import need_systemd

WATCH_S = 20.0  # a camera that takes longer is reported as missing; the service keeps retrying
POLL_S = 0.5
HINTS = {
    "camera": f"set camera.source in {SETTINGS}, then: sudo systemctl restart fer-edge",
    "broker": f"set mqtt in {SETTINGS} and the password in {PASSWORD}, then: sudo systemctl restart fer-edge",
}
JOURNAL_LINES = 5


def watch_start(
    show: Callable[[], Mapping[str, str]], clock: Callable[[], float], wait: Callable[[float], object]
) -> Iterator[StatusPart]:
    """Yield each part of the daemon's status once it is ok; after WATCH_S the others in their state then.

    Ends early if the service is no longer active.
    """
    deadline = clock() + WATCH_S
    ok: set[str] = set()
    while True:
        shown = show()
        parts = status_parts(shown.get("StatusText", ""))
        for part in parts:
            if part.ok and part.name not in ok:
                ok.add(part.name)
                yield part
        missing = [part for part in parts if part.name not in ok]
        over = clock() >= deadline or shown.get("ActiveState") not in ("active", "reloading")
        if over or (parts and not missing):
            yield from missing
            return
        wait(POLL_S)


def status_text(part: StatusPart) -> str:
    """Return one line in the format of `fer-edge check`."""
    return f"{'ok' if part.ok else 'waiting':<8}{part.name:<10}{part.text}"


def hint_for(part: StatusPart) -> str | None:
    """Return what to do about a part that is not ok; None where its own text says it."""
    return None if part.ok else HINTS.get(part.name)


def status(echo: Callable[[str], None]) -> int:
    """Print the service's status; return the exit code: 0 if it runs, else 1."""
    need_systemd()
    shown = systemctl.show()
    if shown.get("LoadState") == "not-found":
        echo("failed  service   not installed: run sudo fer-edge service install")
        return EXIT_FAILED
    active = shown["ActiveState"] in ("active", "reloading")
    since = f" since {shown['ActiveEnterTimestamp']}" if active else f" ({shown['Result']})"
    boot = "starts at boot" if shown["UnitFileState"] == "enabled" else "does not start at boot"
    restarts = f", restarted {shown['NRestarts']} times" if shown["NRestarts"] != "0" else ""
    echo(f"{'ok' if active else 'failed':<8}service   {shown['ActiveState']}{since}, {boot}{restarts}")
    echo(f"{'':8}program   fer-edge {__version__}, unit {shown['FragmentPath']}")
    echo(f"{'':8}settings  {SETTINGS}")
    if active:
        for part in status_parts(shown["StatusText"]):
            echo(status_text(part))
        return 0
    for line in systemctl.journal_tail(JOURNAL_LINES):
        echo(f"{'':8}{line}")
    echo(f"{'':8}start it: sudo systemctl start {NAME}")
    return EXIT_FAILED
