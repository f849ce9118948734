"""What `fer-edge tune` says: differences, thresholds beside each other, sweeps; for a person, or plain where piped."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from fer_edge.config.model import DecideSettings
from fer_edge.recording.steps import Recording
from fer_edge.tuning.choose import thresholds
from fer_edge.tuning.compare import Comparison
from fer_edge.tuning.sweep import BRIEF_S, Point, brief, told
from fer_edge.types import Event

LISTED = 20  # events that differ; the JSON has all


def as_yaml(decide: DecideSettings) -> str:
    """The section as it goes into config.yaml."""
    tree: dict[str, Any] = msgspec.to_builtins(decide)
    tree["emotions"] = {
        name: {key: value for key, value in own.items() if value is not None} for name, own in tree["emotions"].items()
    }
    return msgspec.yaml.encode({"decide": tree}).decode().rstrip()


def counted(difference: Comparison) -> dict[str, Any]:
    """For the JSON: all that differs, outright."""
    return {
        "kept": len(difference.kept),
        "moved": [[_fact(one), _fact(other)] for one, other in difference.moved],
        "new": [_fact(event) for event in difference.new],
        "gone": [_fact(event) for event in difference.gone],
    }


def _fact(event: Event) -> dict[str, Any]:
    return {"at": event.at, "event_type": event.kind.value, "face": event.face, "emotion": event.emotion}


def print_differences(
    console: Console, recordings: Sequence[Recording], differences: Sequence[Comparison], hours: float, left_out: int
) -> None:
    """The sums, and the first that differ."""
    sums = {name: sum(len(getattr(one, name)) for one in differences) for name in ("kept", "moved", "new", "gone")}
    told_then = sums["kept"] + sums["moved"] + sums["gone"]
    told_now = sums["kept"] + sums["moved"] + sums["new"]
    console.print(
        f"{_length(hours)}: {_were(told_then, 'event')} told ({told_then / hours:.0f} an hour), {told_now} would be "
        f"({told_now / hours:.0f} an hour): " + ", ".join(f"{count} {name}" for name, count in sums.items()),
        highlight=False,
        soft_wrap=True,
    )
    if left_out:
        console.print(f"{_were(left_out, 'face')} there before the recording begins: left out.", highlight=False)
    lines = [
        line for recording, one in zip(recordings, differences, strict=True) for line in _lines(one, recording.began)
    ]
    for _, line in lines[:LISTED]:
        console.print("  " + line, highlight=False, soft_wrap=True)
    if len(lines) > LISTED:
        console.print(f"  and {len(lines) - LISTED} more; --json has all", highlight=False)


def _were(count: int, noun: str) -> str:
    """`1 event was`, `2 events were`."""
    return f"{count} {noun} was" if count == 1 else f"{count} {noun}s were"


def _length(hours: float) -> str:
    """In the unit in which it is a number to be read."""
    if hours >= 1.0:
        return f"{hours:.1f} hours"
    minutes = 60.0 * hours
    return f"{minutes:.1f} minutes" if minutes >= 1.0 else f"{60.0 * minutes:.1f} seconds"


def _lines(difference: Comparison, began: float) -> list[tuple[float, str]]:
    lines = [(event.at, f"new    {_words(event, began)}") for event in difference.new]
    lines += [(event.at, f"gone   {_words(event, began)}") for event in difference.gone]
    lines += [
        (one.at, f"moved  {_words(one, began)}, by {other.at - one.at:+.2f} s") for one, other in difference.moved
    ]
    return sorted(lines)


def _words(event: Event, began: float) -> str:
    return f"{event.at - began:9.2f} s  face {event.face} {event.kind.value} {event.emotion or 'unsure'}"


def print_emotions(
    console: Console,
    events: tuple[Sequence[Sequence[Event]], Sequence[Sequence[Event]]],
    settings: tuple[DecideSettings, DecideSettings],
    shown: Sequence[str],
) -> None:
    """How often each expression was told and would be, and how briefly."""
    table = _table(console, "told, then and now")
    for heading in ("expression", "enter", "leave", "told", f"brief (< {BRIEF_S:g} s)"):
        table.add_column(heading, justify="left" if heading == "expression" else "right")
    for emotion in shown:
        (enter, leave), (new_enter, new_leave) = (thresholds(decide, emotion) for decide in settings)
        times = [sum(told(one, emotion) for one in side) for side in events]
        briefly = [sum(brief(one, emotion) for one in side) for side in events]
        cells = [(enter, new_enter), (leave, new_leave), tuple(times), tuple(briefly)]
        table.add_row(emotion, *(_then_now(*pair) for pair in cells))
    console.print(table)


def _table(console: Console, title: str) -> Table:
    """Columns alone where the output is piped: lines are for eyes."""
    return Table(title=title, title_justify="left", box=box.ROUNDED if console.is_terminal else None)


def _then_now(then: float, now: float) -> str:
    return f"{then:g}" if then == now else f"{then:g} -> {now:g}"


def print_sweeps(console: Console, sweeps: Mapping[str, Sequence[Point]], hours: float) -> None:
    """Events an hour for each threshold, brief ones in brackets."""
    if not sweeps:
        return
    table = _table(console, "events an hour (of these brief) by enter threshold")
    table.add_column("enter", justify="right")
    for emotion in sweeps:
        table.add_column(emotion, justify="right")
    for row in zip(*sweeps.values(), strict=True):
        cells = [
            f"{point.told / hours:.0f}" + (f" ({point.brief / hours:.0f})" if point.brief else "") for point in row
        ]
        table.add_row(f"{row[0].enter:.2f}", *cells)
    console.print(table)
