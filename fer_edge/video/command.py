"""`fer-edge video` on the terminal: a bar for each video, a line for each failure, and what came of all at the end."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from fer_edge.config.model import Settings
from fer_edge.errors import EXIT_FAILED
from fer_edge.plain_text import escaped
from fer_edge.video.advice import advice, caution
from fer_edge.video.jobs import Job
from fer_edge.video.parallel import analyse_all, analyse_on_cluster
from fer_edge.video.report import print_reports
from fer_edge.video.statistics import Report


def analyse_videos(  # noqa: PLR0913 - the command's options
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
    warning = caution(settings)
    if warning is not None:
        print(f"fer-edge: {warning}", file=sys.stderr)  # noqa: T201  the one place
    reports = []
    with _terminates_cleanly(), _bars(console, jobs) as bars:
        done = (
            analyse_on_cluster(jobs, settings, cluster)
            if cluster
            else analyse_all(jobs, settings, processes, bars.advance)
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
            hint = advice(report, settings)
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
