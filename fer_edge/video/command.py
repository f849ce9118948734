"""`fer-edge video`: a progress bar for each video, a line for each failure, and reports at the end."""

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

SMALLEST = 12  # detect.width over the width of the smallest face that is found reliably (docs/detector.md)
REJECTED = {
    Outcome.TOO_SMALL: "too small (gates.min_width_px: {gates.min_width_px:g})",
    Outcome.DARK: "too dark (gates.min_brightness: {gates.min_brightness:g})",
    Outcome.BLURRED: "too blurred (gates.min_sharpness: {gates.min_sharpness:g})",
    Outcome.OUTSIDE: "cut off by the frame's edge (gates.min_inside: {gates.min_inside:g})",
    Outcome.MASKED: "behind privacy.zones",
}
MOST_SHOWN = 3  # expressions of a video


def mask_warning(settings: Settings) -> str | None:
    """Return a warning if privacy.zones were drawn on rotated frames; those of a file are not rotated."""
    if not (settings.privacy.zones and settings.camera.rotate):
        return None
    return "privacy.zones apply to the frames as they are in the file: camera.rotate does not rotate saved videos"


def hint_for(report: Report, settings: Settings) -> str | None:
    """Return a hint if no face was found in any frame, or if most were rejected; else None."""
    seen = sum(report.outcomes.values())
    if not report.frames:
        return None
    if not seen:
        width = settings.detect.width
        return f"no face was found. With detect.width {width} faces below 1/{SMALLEST} of the frame's width are missed"
    rejected = {outcome: report.outcomes.get(outcome.value, 0) for outcome in REJECTED}
    worst = max(rejected, key=lambda outcome: rejected[outcome])
    if sum(rejected.values()) <= seen / 2:
        return None
    reason = REJECTED[worst].format(gates=settings.gates)
    return f"most faces were not classified: {rejected[worst]} of {seen} (over all frames) {reason}"


def print_reports(console: Console, reports: Sequence[Report]) -> None:
    """Print the figures of the videos and the folders of their outputs.

    As plain text: names may contain rich's markup or control characters.
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
    """Return the table; ``between`` separates expressions, by a line end on a narrow terminal.

    There are no lines between columns: they would take 10 of 80 characters.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("video", overflow="fold")
    for heading in ("seconds", "frames", "x real\ntime", "faces", "events"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("longest\nin %", no_wrap=True)
    for report in reports:
        figures = [f"{report.seconds:.1f}", f"{report.frames}", f"{_speed(report):.1f}"]
        figures += [f"{report.faces}", f"{_events(report)}"]
        shown = between.join(f"{name} {percent:.0f}" for name, percent in _shown(report))
        table.add_row(plain_text(Path(report.source).name), *map(Text, (*figures, shown or "-")))
    return table


def _line(report: Report) -> str:
    """`clip.mp4: 3.9 s, 40 frames, 5.2 x real time, 1 face, 3 events, happy 62% neutral 30%, written to out`."""
    shown = " ".join(f"{name} {percent:.0f}%" for name, percent in _shown(report))
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
    """Return the folders of the outputs."""
    return sorted({str(Path(path).parent) for report in reports for path in report.outputs.values()})


def _speed(report: Report) -> float:
    """Return seconds of the video per second of analysis."""
    return report.seconds / report.took_s if report.took_s else 0.0


def _events(report: Report) -> int:
    return sum(report.events.values())


def _shown(report: Report) -> list[tuple[str, float]]:
    """Return the expressions that were held longest, in percent of the time with a face."""
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
    """Analyse the videos and print reports; return the exit code: 0, or 1 if a video failed."""
    processes = processes or os.cpu_count() or 1
    warning = mask_warning(settings)
    if warning is not None:
        print(f"fer-edge: {warning}", file=sys.stderr)  # noqa: T201  stderr
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
                print(f"fer-edge: {escaped(report.failure)}", file=sys.stderr)  # noqa: T201  stderr
    order = {job.name: number for number, job in enumerate(jobs)}
    reports.sort(key=lambda report: order.get(report.source, len(order)))
    if as_json:
        sys.stdout.write(msgspec.json.encode(reports).decode() + "\n")
    else:
        print_reports(console, [report for report in reports if report.frames])
        for report in reports:
            hint = hint_for(report, settings)
            if hint is not None:
                print(escaped(f"{report.source}: {hint}"), file=sys.stderr)  # noqa: T201  stderr
    return EXIT_FAILED if any(report.failure for report in reports) else 0


class Bars:
    """Progress bars, one for each video."""

    def __init__(self, progress: Progress, jobs: Sequence[Job]) -> None:
        self._progress = progress
        self._tasks = [progress.add_task(escaped(Path(job.name).name), total=None, start=False) for job in jobs]
        self._of = {job.name: task for job, task in zip(jobs, self._tasks, strict=True)}

    def advance(self, number: int, done: int, stated: int | None) -> None:
        """Show ``done`` frames of ``stated`` for video ``number``."""
        task = self._tasks[number]
        self._progress.start_task(task)
        self._progress.update(task, completed=done, total=None if stated is None else max(stated, done))

    def finish(self, report: Report) -> None:
        """Show the bar as complete."""
        task = self._of.get(report.source)
        if task is not None:
            self._progress.start_task(task)
            self._progress.update(task, completed=report.frames, total=report.frames)
            self._progress.stop_task(task)


class RateColumn(ProgressColumn):
    """Frames per second."""

    def render(self, task: Task) -> Text:
        """Return text such as `43 fps`."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f} fps", style="dim")


@contextmanager
def _bars(console: Console, jobs: Sequence[Job]) -> Iterator[Bars]:
    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress, jobs)


@contextmanager
def _terminates_cleanly() -> Iterator[None]:
    """In the block SIGTERM and SIGHUP end the program as Ctrl-C does, so that unfinished files are deleted."""

    def exit_with(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signals = [
        one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN
    ]  # not under nohup(1)
    before = {one: signal.signal(one, exit_with) for one in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
