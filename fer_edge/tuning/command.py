"""`fer-edge tune`: recorded scores through other settings, how that depends on thresholds, and proposals."""

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
from fer_edge.tuning.replay import compare, known_before, replay
from fer_edge.tuning.report import as_yaml, counted, draw_sweeps, print_differences, print_emotions, print_sweeps
from fer_edge.tuning.search import GRID, MOST_FLOORS, assigned, at_most, best, raised, sweep, thresholds, told
from fer_edge.types import Event

Tell = Callable[[], None]  # one more of what was announced is done
Announce = Callable[[str, int], Tell]  # what begins now, and of how many parts it is


@contextmanager
def progress_bars(console: Console) -> Iterator[Announce]:
    """A bar for each thing that is announced, gone at the end; nothing where the output is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def announce(name: str, parts: int) -> Tell:
            task = progress.add_task(name, total=parts)
            return lambda: progress.advance(task)

        yield announce


class TuneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    decide: DecideSettings | None = None  # from a file; None: as recorded
    changes: tuple[str, ...] = ()  # decide.enter=0.7
    per_hour: float | None = None
    labels: Path | None = None
    picture: Path | None = None
    as_json: bool = False


def tune(sources: Sequence[Path], wish: TuneOptions, console: Console) -> int:
    """Says what the settings that are wished for would have told; the exit code.

    Raises:
        UserError: a source or the labels cannot be used.
        click.UsageError: a change cannot be made.
    """
    spans = None if wish.labels is None else read_spans(wish.labels)
    with progress_bars(console) as announce:
        recordings = _read(sources, announce)
        if spans is not None and len(recordings) != 1:
            raise UserError("--labels judges one recording: name one table of scores, or a folder that holds one")
        present = recordings[-1].parts[-1].decide
        other = _changed(wish.decide or present, wish.changes)
        before = _replayed(recordings, None, announce)
        after = _replayed(recordings, other, announce)
        held = [emotion for emotion in EMOTIONS if any(told(events, emotion) for events in (*before, *after))]
        sweeps = {
            emotion: sweep(recordings, other, emotion, announce(f"thresholds for {emotion}", len(GRID)))
            for emotion in held
        }
        proposals = _proposals(recordings, other, wish, spans, announce)
    differences = [compare(one, two) for one, two in zip(before, after, strict=True)]
    hours = max(sum(recording.seconds for recording in recordings) / 3600.0, 1e-9)
    if wish.picture is not None:
        draw_sweeps(sweeps, hours, present, other, wish.picture)
    if wish.as_json:
        counts = [counted(one) for one in differences]
        report = {"hours": hours, "differences": counts, "sweeps": sweeps, "proposals": proposals}
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return 0
    left_out = sum(len(known_before(recording)) for recording in recordings)
    print_differences(console, recordings, differences, hours, left_out)
    print_emotions(console, (before, after), (present, other), held)
    print_sweeps(console, sweeps, hours)
    for title, text in proposals.items():
        console.print()
        console.print(plain_text(title, "bold"), soft_wrap=True)  # a file's name may hold anything
        console.print(text, highlight=False, soft_wrap=True)
    if wish.picture is not None:
        console.print(plain_text(f"Written to {click.format_filename(wish.picture)}"), soft_wrap=True)
    return 0


def _changed(decide: DecideSettings, changes: Sequence[str]) -> DecideSettings:
    """With what was typed after --set: what is wrong in it is wrong in the call, not in a file of settings."""
    try:
        return assigned(decide, changes)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _read(sources: Sequence[Path], announce: Announce) -> list[Recording]:
    """Tables of scores, and folders with all that are in them; raises UserError."""
    found = read_sources(sources, announce("reading", len(sources)))
    recordings = [recording for recording in found if any(part.steps for part in recording.parts)]
    if not recordings:
        raise UserError(f"{sources[0]}: holds no scores yet")
    return recordings


def _replayed(recordings: Sequence[Recording], decide: DecideSettings | None, announce: Announce) -> list[list[Event]]:
    """The events of each recording, by ``decide`` or as they were told."""
    tell = announce("as it was told" if decide is None else "as it would be", len(recordings))
    events = []
    for recording in recordings:
        events.append(replay(recording, decide))
        tell()
    return events


def _proposals(
    recordings: Sequence[Recording],
    decide: DecideSettings,
    wish: TuneOptions,
    spans: Sequence[Span] | None,
    announce: Announce,
) -> dict[str, str]:
    """Title and text of each proposal that is asked for."""
    found: dict[str, str] = {}
    if wish.per_hour is not None:
        calm = at_most(recordings, decide, wish.per_hour, announce("a common floor", MOST_FLOORS))
        title = f"For at most {wish.per_hour:g} event{'' if wish.per_hour == 1.0 else 's'} an hour"
        found[title] = (
            "Faces that come and go are more than that whatever the thresholds: raise arrive_s or track.lost_s."
            if calm is None
            else as_yaml(calm)
        )
    if spans is not None:
        parts = len(GRID) * len({span.emotion for span in spans})
        chosen = best(recordings[0], decide, spans, announce("the labels", parts))
        for emotion, (enter, _) in chosen.items():
            if enter != thresholds(decide, emotion)[0]:
                decide = raised(decide, emotion, enter)
        scores = ", ".join(f"{emotion} {one.f1:.2f} at {enter:.2f}" for emotion, (enter, one) in chosen.items())
        found[f"For the best F1 by {wish.labels}: {scores}"] = as_yaml(decide)
    return found
