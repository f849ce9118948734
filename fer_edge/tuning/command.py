"""`fer-edge tune`: replay of recorded scores with tried thresholds, threshold sweeps, proposals."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fer_edge.config.model import DecideSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import SettingsError, UserError
from fer_edge.recording.format import Recording
from fer_edge.recording.recorder import read_sources
from fer_edge.terminal import plain_text
from fer_edge.tuning.ground_truth import Span, read_spans
from fer_edge.tuning.replay import compare, faces_before, replay
from fer_edge.tuning.report import (
    as_yaml,
    comparison_json,
    draw_sweeps,
    print_differences,
    print_emotions,
    print_sweeps,
)
from fer_edge.tuning.search import (
    GRID,
    MOST_FLOORS,
    best,
    count_events,
    lowest_floor,
    sweep,
    with_changes,
    with_enter,
)
from fer_edge.types import Event

Advance = Callable[[], None]  # one more part of a task is done
StartTask = Callable[[str, int], Advance]  # name of a task, number of its parts


@contextmanager
def progress_bars(console: Console) -> Iterator[StartTask]:
    """A bar for each task, removed at the end; none if the output is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def start(name: str, parts: int) -> Advance:
            task = progress.add_task(name, total=parts)
            return lambda: progress.advance(task)

        yield start


class TuneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the command."""

    decide: DecideSettings | None = None  # from a file; None: as recorded
    changes: tuple[str, ...] = ()  # decide.enter=0.7
    per_hour: float | None = None
    labels: Path | None = None
    picture: Path | None = None
    as_json: bool = False


def tune(sources: Sequence[Path], options: TuneOptions, console: Console) -> int:
    """Print which events tried settings would have given; return the exit code.

    Raises:
        UserError: a source or the labels cannot be read.
        click.UsageError: a change in ``options`` is invalid.
    """
    spans = None if options.labels is None else read_spans(options.labels)
    with progress_bars(console) as start:
        recordings = _read(sources, start)
        if spans is not None and len(recordings) != 1:
            raise UserError("--labels needs exactly one recording: give one table of scores, or a folder with one")
        recorded = recordings[-1].parts[-1].decide
        tried = _changed(options.decide or recorded, options.changes)
        before = _replayed(recordings, None, start)
        after = _replayed(recordings, tried, start)
        shown = [emotion for emotion in EMOTIONS if any(count_events(events, emotion) for events in (*before, *after))]
        sweeps = {
            emotion: sweep(recordings, tried, emotion, start(f"thresholds for {emotion}", len(GRID)))
            for emotion in shown
        }
        proposals = _proposals(recordings, tried, options, spans, start)
    differences = [compare(one, two) for one, two in zip(before, after, strict=True)]
    hours = max(sum(recording.seconds for recording in recordings) / 3600.0, 1e-9)
    if options.picture is not None:
        draw_sweeps(sweeps, hours, recorded, tried, options.picture)
    if options.as_json:
        counts = [comparison_json(one) for one in differences]
        report = {"hours": hours, "differences": counts, "sweeps": sweeps, "proposals": proposals}
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return 0
    left_out = sum(len(faces_before(recording)) for recording in recordings)
    print_differences(console, recordings, differences, hours, left_out)
    print_emotions(console, (before, after), (recorded, tried), shown)
    print_sweeps(console, sweeps, hours)
    for title, text in proposals.items():
        console.print()
        console.print(plain_text(title, "bold"), soft_wrap=True)  # a file name may contain markup
        console.print(text, highlight=False, soft_wrap=True)
    if options.picture is not None:
        console.print(plain_text(f"Written to {click.format_filename(options.picture)}"), soft_wrap=True)
    return 0


def _changed(decide: DecideSettings, changes: Sequence[str]) -> DecideSettings:
    """Return ``decide`` with the values of --set; a mistake in them is a usage error."""
    try:
        return with_changes(decide, changes)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _read(sources: Sequence[Path], start: StartTask) -> list[Recording]:
    """Read tables of scores and folders of them; raises UserError."""
    found = read_sources(sources, start("reading", len(sources)))
    recordings = [recording for recording in found if any(part.steps for part in recording.parts)]
    if not recordings:
        raise UserError(f"{sources[0]}: holds no scores yet")
    return recordings


def _replayed(recordings: Sequence[Recording], decide: DecideSettings | None, start: StartTask) -> list[list[Event]]:
    """Return the events of each recording with ``decide``, or with the recorded settings."""
    advance = start("replay as recorded" if decide is None else "replay with these settings", len(recordings))
    events = []
    for recording in recordings:
        events.append(replay(recording, decide))
        advance()
    return events


def _proposals(
    recordings: Sequence[Recording],
    decide: DecideSettings,
    options: TuneOptions,
    spans: Sequence[Span] | None,
    start: StartTask,
) -> dict[str, str]:
    """Return title and text of each proposal that the options ask for."""
    found: dict[str, str] = {}
    if options.per_hour is not None:
        found_settings = lowest_floor(recordings, decide, options.per_hour, start("common floor", MOST_FLOORS))
        title = f"For at most {options.per_hour:g} event{'' if options.per_hour == 1.0 else 's'} per hour"
        found[title] = (
            "Not reached by thresholds: faces alone appear and leave more often. Raise arrive_s or track.lost_s."
            if found_settings is None
            else as_yaml(found_settings)
        )
    if spans is not None:
        parts = len(GRID) * len({span.emotion for span in spans})
        chosen = best(recordings[0], decide, spans, start("the labels", parts))
        for emotion, (enter, _) in chosen.items():
            if enter != decide.thresholds(emotion)[0]:
                decide = with_enter(decide, emotion, enter)
        scores = ", ".join(f"{emotion} {one.f1:.2f} at {enter:.2f}" for emotion, (enter, one) in chosen.items())
        found[f"For the best F1 by {options.labels}: {scores}"] = as_yaml(decide)
    return found
