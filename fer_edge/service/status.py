"""`fer-edge service status`: how the service is, in the form of `fer-edge check`."""

from collections.abc import Callable, Iterator, Mapping

from fer_edge import __version__
from fer_edge.daemon.status import StatusPart, status_parts
from fer_edge.errors import EXIT_FAILED
from fer_edge.service import systemctl
from fer_edge.service.paths import NAME, PASSWORD, SETTINGS
from fer_edge.service.systemctl import need_systemd

WATCH_S = 20.0  # a camera that needs longer is told as missing; the service goes on trying
LOOK_S = 0.5
CURES = {
    "camera": f"another camera: camera.source in {SETTINGS}, then: sudo systemctl restart fer-edge",
    "broker": f"mqtt in {SETTINGS}, the password in {PASSWORD}, then: sudo systemctl restart fer-edge",
}
JOURNAL_LINES = 5


def watch_start(
    show: Callable[[], Mapping[str, str]], clock: Callable[[], float], wait: Callable[[float], object]
) -> Iterator[StatusPart]:
    """Each part of the daemon's status as soon as it is well; after WATCH_S those that are not, as they are then.

    Ends early where the service is no longer active.
    """
    deadline = clock() + WATCH_S
    told: set[str] = set()
    while True:
        shown = show()
        parts = status_parts(shown.get("StatusText", ""))
        for part in parts:
            if part.ok and part.name not in told:
                told.add(part.name)
                yield part
        missing = [part for part in parts if part.name not in told]
        over = clock() >= deadline or shown.get("ActiveState") not in ("active", "reloading")
        if over or (parts and not missing):
            yield from missing
            return
        wait(LOOK_S)


def status_text(part: StatusPart) -> str:
    """One line in the form of `fer-edge check`."""
    return f"{'ok' if part.ok else 'waiting':<8}{part.name:<10}{part.text}"


def cure_for(part: StatusPart) -> str | None:
    """What to do about a part that is not well; None where its own words say it."""
    return None if part.ok else CURES.get(part.name)


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
            say(status_text(part))
        return 0
    for words in systemctl.last_words(JOURNAL_LINES):
        say(f"{'':8}{words}")
    say(f"{'':8}start it: sudo systemctl start {NAME}")
    return EXIT_FAILED
