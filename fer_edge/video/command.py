"""`fer-edge video` on the terminal: a bar for each video, a line for each failure, and what came of all at the end."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fer_edge.config.model import Settings
from fer_edge.errors import EXIT_FAILED
from fer_edge.terminal import escaped, plain_text
from fer_edge.types import Outcome
from fer_edge.video.jobs import Job
from fer_edge.video.parallel import analyze_all, analyze_on_cluster
from fer_edge.video.statistics import Report

SMALLEST = 12  # detect.width over the narrowest face that is found surely (docs/detector.md)
REFUSED = {
    Outcome.TOO_SMALL: "too small (gates.min_width_px: {gates.min_width_px:g})",
    Outcome.DARK: "too dark (gates.min_brightness: {gates.min_brightness:g})",
    Outcome.BLURRED: "too blurred (gates.min_sharpness: {gates.min_sharpness:g})",
    Outcome.OUTSIDE: "cut off by the picture's edge (gates.min_inside: {gates.min_inside:g})",
    Outcome.MASKED: "behind privacy.zones",
}
MOST_SHOWN = 3  # expressions of a video


def mask_warning(settings: Settings) -> str | None:
    """One line where the zones were drawn on a picture that was turned, which that of a file is not."""
    if not (settings.privacy.zones and settings.camera.rotate):
        return None
    return "privacy.zones lie on the picture as it is in the file: camera.rotate does not turn saved videos"


def hint_for(report: Report, settings: Settings) -> str | None:
    """One line where no face was found in any frame, or where most could not be read; None where neither is so."""
    seen = sum(report.outcomes.values())
    if not report.frames:
        return None
    if not seen:
        width = settings.detect.width
        return f"no face was found. Are they small? detect.width {width} misses those below 1/{SMALLEST} of the picture"
    refused = {outcome: report.outcomes.get(outcome.value, 0) for outcome in REFUSED}
    worst = max(refused, key=lambda outcome: refused[outcome])
    if sum(refused.values()) <= seen / 2:
        return None
    why = REFUSED[worst].format(gates=settings.gates)
    were = "was" if refused[worst] == 1 else "were"
    return f"most faces were not read: {refused[worst]} of {seen}, counted in each frame, {were} {why}"


def print_reports(console: Console, reports: Sequence[Report]) -> None:
    """The figures of the videos, and where their outputs are; nothing where there is no report.

    As text: names may hold brackets, which rich takes for its markup, and what a terminal would obey.
    """
    if not console.is_terminal:
        for report in reports:
            console.print(plain_text(_line(report)), soft_wrap=True)
        return
    if not reports:
        return
    wide = _table(reports, ", ")
    console.print(wide if console.measure(wide).maximum < console.width else _table(reports, "\n"))
    folders = _folders(reports)
    if folders:
        console.print()
        console.print(plain_text(f"Written to {', '.join(folders)}"), soft_wrap=True)


def _table(reports: Sequence[Report], between: str) -> Table:
    """``between`` is what stands between expressions: on a narrow terminal a line end, which leaves names their room.

    No lines between columns, for the same end: they take 10 of 80 columns.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("video", overflow="fold")
    for heading in ("seconds", "frames", "x real\ntime", "faces", "events"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("shown most\nin %", no_wrap=True)
    for report in reports:
        figures = [f"{report.seconds:.1f}", f"{report.frames}", f"{_speed(report):.1f}"]
        figures += [f"{report.faces}", f"{_events(report)}"]
        shown = between.join(f"{name} {percent:.0f}" for name, percent in _shown(report))
        table.add_row(plain_text(Path(report.source).name), *map(Text, (*figures, shown or "-")))
    return table


def _line(report: Report) -> str:
    """`clip.mp4: 3.9 s, 40 frames, 5.2 x real time, 1 face, 3 events, happy 62 % neutral 30 %, written to out`."""
    shown = " ".join(f"{name} {percent:.0f} %" for name, percent in _shown(report))
    parts = [
        f"{report.seconds:.1f} s",
        _many(report.frames, "frame"),
        f"{_speed(report):.1f} x real time",
        _many(report.faces, "face"),
        _many(_events(report), "event"),
        shown or "no expression",
        *(f"written to {folder}" for folder in _folders([report])),
    ]
    return f"{report.source}: {', '.join(parts)}"


def _many(count: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _folders(reports: Sequence[Report]) -> list[str]:
    """Where the outputs are."""
    return sorted({str(Path(path).parent) for report in reports for path in report.outputs.values()})


def _speed(report: Report) -> float:
    """Seconds of the video in a second of work."""
    return report.seconds / report.took_s if report.took_s else 0.0


def _events(report: Report) -> int:
    return sum(report.events.values())


def _shown(report: Report) -> list[tuple[str, float]]:
    """The expressions that were held longest, in percent of the time in which a face was there; none without one."""
    whole_s = sum(report.emotion_s.values()) + report.unsure_s
    shares = {**report.emotion_s, "unsure": report.unsure_s}
    longest = sorted(shares.items(), key=lambda share: -share[1])[:MOST_SHOWN]
    return [(name, 100.0 * held_s / whole_s) for name, held_s in longest if held_s > 0.0]


def analyze_videos(  # noqa: PLR0913 - the command's options
    jobs: Sequence[Job],
    settings: Settings,
    console: Console,
    *,
    processes: int | None = None,
    cluster: str | None = None,
    as_json: bool = False,
) -> int:
    """Analyses all and says what came of it; the exit code: 0, or 1 where a video failed."""
    processes = processes or os.cpu_count() or 1
    warning = mask_warning(settings)
    if warning is not None:
        print(f"fer-edge: {warning}", file=sys.stderr)  # noqa: T201  the one place
    reports = []
    with _terminates_cleanly(), _bars(console, jobs) as bars:
        done = (
            analyze_on_cluster(jobs, settings, cluster)
            if cluster
            else analyze_all(jobs, settings, processes, bars.advance)
        )
        for report in done:
            reports.append(report)
            bars.finish(report)
            if report.failure is not None:
                print(f"fer-edge: {escaped(report.failure)}", file=sys.stderr)  # noqa: T201  the one place
    order = {job.name: number for number, job in enumerate(jobs)}
    reports.sort(key=lambda report: order.get(report.source, len(order)))
    if as_json:
        sys.stdout.write(msgspec.json.encode(reports).decode() + "\n")
    else:
        print_reports(console, [report for report in reports if report.frames])
        for report in reports:
            hint = hint_for(report, settings)
            if hint is not None:
                print(escaped(f"{report.source}: {hint}"), file=sys.stderr)  # noqa: T201  for a person, as failures are
    return EXIT_FAILED if any(report.failure for report in reports) else 0


class Bars:
    """A bar for each video; nothing where the output is no terminal."""

    def __init__(self, progress: Progress, jobs: Sequence[Job]) -> None:
        self._progress = progress
        self._tasks = [progress.add_task(escaped(Path(job.name).name), total=None, start=False) for job in jobs]
        self._of = {job.name: task for job, task in zip(jobs, self._tasks, strict=True)}

    def advance(self, number: int, done: int, stated: int | None) -> None:
        """Video ``number`` has ``done`` frames of ``stated``."""
        task = self._tasks[number]
        self._progress.start_task(task)
        self._progress.update(task, completed=done, total=None if stated is None else max(stated, done))

    def finish(self, report: Report) -> None:
        """The bar is full, at the frames that there were."""
        task = self._of.get(report.source)
        if task is not None:
            self._progress.start_task(task)
            self._progress.update(task, completed=report.frames, total=report.frames)
            self._progress.stop_task(task)


class RateColumn(ProgressColumn):
    """Frames a second."""

    def render(self, task: Task) -> Text:
        """`43 frames/s`."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f} frames/s", style="dim")


@contextmanager
def _bars(console: Console, jobs: Sequence[Job]) -> Iterator[Bars]:
    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress, jobs)


@contextmanager
def _terminates_cleanly() -> Iterator[None]:
    """While it lasts, SIGTERM and a terminal that is closed end the program as Ctrl-C does: half-written files go."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    ending = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]  # nohup(1)
    before = {one: signal.signal(one, leave) for one in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
