"""`fer-edge tune` on the terminal: what other settings would have told, how it depends on thresholds, proposals."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from fer_edge.config import DecideSettings
from fer_edge.errors import UserError
from fer_edge.labels import EMOTIONS
from fer_edge.record.ring import read_ring
from fer_edge.record.score_file import read_recording
from fer_edge.record.steps import Recording
from fer_edge.tune.choose import assigned, raised, thresholds
from fer_edge.tune.compare import Comparison, compare
from fer_edge.tune.labels import read_spans
from fer_edge.tune.picture import draw_sweeps
from fer_edge.tune.propose import at_most, best
from fer_edge.tune.replay import known_before, replay
from fer_edge.tune.sweep import BRIEF_S, Point, brief, sweep, told
from fer_edge.values import Event

LISTED = 20  # events that differ; the JSON has all


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    decide: DecideSettings | None = None  # from a file; None: as recorded
    changes: tuple[str, ...] = ()  # decide.enter=0.7
    per_hour: float | None = None
    labels: Path | None = None
    picture: Path | None = None
    as_json: bool = False


def tune(sources: Sequence[Path], wish: Wish, console: Console) -> int:
    """Says what the settings that are wished for would have told; the exit code.

    Raises:
        UserError: a source, the labels or the settings cannot be used.
    """
    recordings = read_sources(sources)
    present = recordings[-1].parts[-1].decide
    other = assigned(wish.decide or present, wish.changes)
    before = [replay(recording) for recording in recordings]
    after = [replay(recording, other) for recording in recordings]
    differences = [compare(one, two) for one, two in zip(before, after, strict=True)]
    shown = [emotion for emotion in EMOTIONS if any(told(events, emotion) for events in (*before, *after))]
    sweeps = {emotion: sweep(recordings, other, emotion) for emotion in shown}
    hours = max(sum(recording.seconds for recording in recordings) / 3600.0, 1e-9)
    proposals = _proposals(recordings, other, wish)
    if wish.picture is not None:
        draw_sweeps(sweeps, hours, present, other, wish.picture)
    if wish.as_json:
        counts = [_counts(one) for one in differences]
        report = {"hours": hours, "differences": counts, "sweeps": sweeps, "proposals": proposals}
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return 0
    left_out = sum(len(known_before(recording)) for recording in recordings)
    _print_differences(console, recordings, differences, hours, left_out)
    _print_emotions(console, (before, after), (present, other), shown)
    _print_sweeps(console, sweeps, hours)
    for title, text in proposals.items():
        console.print(f"\n{title}", style="bold")
        console.print(text, highlight=False, soft_wrap=True)
    return 0


def read_sources(sources: Sequence[Path]) -> list[Recording]:
    """Tables of scores, and rings (folders) with each of their runs; raises UserError."""
    found: list[Recording] = []
    for source in sources:
        found += read_ring(source) if source.is_dir() else [read_recording(source)]
    recordings = [recording for recording in found if any(part.steps for part in recording.parts)]
    if not recordings:
        raise UserError(f"{sources[0]}: holds no scores yet")
    return recordings


def _proposals(recordings: Sequence[Recording], decide: DecideSettings, wish: Wish) -> dict[str, str]:
    found: dict[str, str] = {}
    if wish.per_hour is not None:
        calm = at_most(recordings, decide, wish.per_hour)
        title = f"For at most {wish.per_hour:g} events an hour"
        found[title] = (
            "Faces that come and go are more than that whatever the thresholds: raise arrive_s or track.lost_s."
            if calm is None
            else as_yaml(calm)
        )
    if wish.labels is not None:
        if len(recordings) != 1:
            raise UserError("--labels judges one recording: name one table of scores, or a ring with one run")
        chosen = best(recordings[0], decide, read_spans(wish.labels))
        for emotion, (enter, _) in chosen.items():
            if enter != thresholds(decide, emotion)[0]:
                decide = raised(decide, emotion, enter)
        scores = ", ".join(f"{emotion} {one.f1:.2f} at {enter:.2f}" for emotion, (enter, one) in chosen.items())
        found[f"For the best F1 by {wish.labels}: {scores}"] = as_yaml(decide)
    return found


def as_yaml(decide: DecideSettings) -> str:
    """The section as it goes into config.yaml."""
    tree: dict[str, Any] = msgspec.to_builtins(decide)
    tree["emotions"] = {
        name: {key: value for key, value in own.items() if value is not None} for name, own in tree["emotions"].items()
    }
    return msgspec.yaml.encode({"decide": tree}).decode().rstrip()


def _counts(difference: Comparison) -> dict[str, Any]:
    return {
        "kept": len(difference.kept),
        "moved": [[_fact(one), _fact(other)] for one, other in difference.moved],
        "new": [_fact(event) for event in difference.new],
        "gone": [_fact(event) for event in difference.gone],
    }


def _fact(event: Event) -> dict[str, Any]:
    return {"at": event.at, "event_type": event.kind.value, "face": event.face, "emotion": event.emotion}


def _print_differences(
    console: Console, recordings: Sequence[Recording], differences: Sequence[Comparison], hours: float, left_out: int
) -> None:
    sums = {name: sum(len(getattr(one, name)) for one in differences) for name in ("kept", "moved", "new", "gone")}
    told_then = sums["kept"] + sums["moved"] + sums["gone"]
    told_now = sums["kept"] + sums["moved"] + sums["new"]
    length = f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"
    console.print(
        f"{length}: {told_then} events were told ({told_then / hours:.0f} an hour), {told_now} would be "
        f"({told_now / hours:.0f} an hour): " + ", ".join(f"{count} {name}" for name, count in sums.items()),
        highlight=False,
        soft_wrap=True,
    )
    if left_out:
        console.print(f"{left_out} faces were there before the recording begins and are left out.", highlight=False)
    lines = [
        line for recording, one in zip(recordings, differences, strict=True) for line in _lines(one, recording.began)
    ]
    for _, line in lines[:LISTED]:
        console.print("  " + line, highlight=False, soft_wrap=True)
    if len(lines) > LISTED:
        console.print(f"  and {len(lines) - LISTED} more; --json has all", highlight=False)


def _lines(difference: Comparison, began: float) -> list[tuple[float, str]]:
    lines = [(event.at, f"new    {_words(event, began)}") for event in difference.new]
    lines += [(event.at, f"gone   {_words(event, began)}") for event in difference.gone]
    lines += [
        (one.at, f"moved  {_words(one, began)}, by {other.at - one.at:+.2f} s") for one, other in difference.moved
    ]
    return sorted(lines)


def _words(event: Event, began: float) -> str:
    return f"{event.at - began:9.2f} s  face {event.face} {event.kind.value} {event.emotion or 'unsure'}"


def _print_emotions(
    console: Console,
    events: tuple[Sequence[Sequence[Event]], Sequence[Sequence[Event]]],
    settings: tuple[DecideSettings, DecideSettings],
    shown: Sequence[str],
) -> None:
    table = Table(title="told, then and now", title_justify="left")
    for heading in ("expression", "enter", "leave", "told", f"brief (< {BRIEF_S:g} s)"):
        table.add_column(heading, justify="left" if heading == "expression" else "right")
    for emotion in shown:
        (enter, leave), (new_enter, new_leave) = (thresholds(decide, emotion) for decide in settings)
        times = [sum(told(one, emotion) for one in side) for side in events]
        briefly = [sum(brief(one, emotion) for one in side) for side in events]
        cells = [(enter, new_enter), (leave, new_leave), tuple(times), tuple(briefly)]
        table.add_row(emotion, *(_then_now(*pair) for pair in cells))
    console.print(table)


def _then_now(then: float, now: float) -> str:
    return f"{then:g}" if then == now else f"{then:g} -> {now:g}"


def _print_sweeps(console: Console, sweeps: dict[str, list[Point]], hours: float) -> None:
    """Events an hour for each threshold, brief ones in brackets."""
    if not sweeps:
        return
    table = Table(title="events an hour (of these brief) by enter threshold", title_justify="left")
    table.add_column("enter", justify="right")
    for emotion in sweeps:
        table.add_column(emotion, justify="right")
    for row in zip(*sweeps.values(), strict=True):
        cells = [
            f"{point.told / hours:.0f}" + (f" ({point.brief / hours:.0f})" if point.brief else "") for point in row
        ]
        table.add_row(f"{row[0].enter:.2f}", *cells)
    console.print(table)
