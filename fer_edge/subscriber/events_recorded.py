"""`fer-edge events FILE`: events that were recorded, shown or judged."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from fer_edge.errors import EXIT_FAILED
from fer_edge.plain_text import plain_text
from fer_edge.subscriber.audit import Audit
from fer_edge.subscriber.command import ALL_DEVICES, Printer, Wish, verdict
from fer_edge.subscriber.recorded import EVENT, VIDEO, Recorded, read_recording


def read_recorded(paths: Iterable[Path], device: str | None, wish: Wish, console: Console) -> int:
    """Shows what was recorded of ``device`` (None: of any), or judges its events; gives the exit code.

    Raises:
        UserError: a file cannot be read.
    """
    audit, printer = Audit(from_start=wish.from_start), Printer(console, as_json=wish.as_json, live=False)
    events = 0
    videos: set[Path] = set()
    for path, line in _lines_of(paths, device):
        if isinstance(line, str):
            audit.unreadable(line)
            continue
        if line.kind == EVENT and isinstance(line.payload, dict):
            audit.take(line.payload)
        if not wish.audit:
            printer.show(line.kind, line.payload, line.device or "" if device == ALL_DEVICES else None)
        elif line.kind == VIDEO and path not in videos:
            videos.add(path)
            audit.unreadable(f"{path}: events of `fer-edge video`, which were never sent: nothing to judge")
        events += line.kind in (EVENT, VIDEO)
        if events == wish.count:
            break
    return verdict(audit, console) if wish.audit else _complain(audit, console)


def _lines_of(paths: Iterable[Path], device: str | None) -> Iterator[tuple[Path, Recorded | str]]:
    """Each file's lines of ``device``; one that names none is of the device that was listened to."""
    for path in paths:
        for line in read_recording(path):
            if isinstance(line, str) or device in (None, ALL_DEVICES, line.device) or line.device is None:
                yield path, line


def _complain(audit: Audit, console: Console) -> int:
    """Names the lines that were no events; without an audit nothing else is judged."""
    wrong = audit.unreadables
    for line in wrong:
        console.print(plain_text(f"problem: {line}", "red"), soft_wrap=True)
    return EXIT_FAILED if wrong else 0
