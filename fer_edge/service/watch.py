"""What a service that was just started sees, told as it comes: camera, broker, first picture, or what to do."""

from collections.abc import Callable, Iterator, Mapping

from fer_edge.daemon.status import Part, status_parts
from fer_edge.service.paths import PASSWORD, SETTINGS

WATCH_S = 20.0  # a camera that needs longer is told as missing; the service goes on trying
LOOK_S = 0.5
CURES = {
    "camera": f"another camera: camera.source in {SETTINGS}, then: sudo systemctl restart fer-edge",
    "broker": f"mqtt in {SETTINGS}, the password in {PASSWORD}, then: sudo systemctl restart fer-edge",
}


def watch(
    show: Callable[[], Mapping[str, str]], clock: Callable[[], float], wait: Callable[[float], object]
) -> Iterator[Part]:
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


def line(part: Part) -> str:
    """One line in the form of `fer-edge check`."""
    return f"{'ok' if part.ok else 'waiting':<8}{part.name:<10}{part.text}"


def cure(part: Part) -> str | None:
    """What to do about a part that is not well; None where its own words say it."""
    return None if part.ok else CURES.get(part.name)
