"""Output of `fer-edge tune`: differences, thresholds before and after, sweeps; plain text if piped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from fer_edge.annotate import HEX
from fer_edge.config.model import DecideSettings
from fer_edge.errors import UserError, os_reason
from fer_edge.recording.format import Recording
from fer_edge.tuning.replay import Comparison
from fer_edge.tuning.search import BRIEF_S, Point, as_tree, count_brief, count_events
from fer_edge.types import Event

MOST_COLUMNS, COLUMN_IN, ROW_IN, DPI = 4, 3.6, 2.7, 120
LEAST_WIDTH_IN = 9.0  # of the legend
LISTED = 20  # differing events on the terminal; --json has all


def draw_sweeps(
    sweeps: Mapping[str, Sequence[Point]], hours: float, present: DecideSettings, other: DecideSettings, path: Path
) -> None:
    """Write the plot of the sweeps; raises UserError without matplotlib, or if ``path`` cannot be written."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  the extra
    except ImportError as error:
        raise UserError(f"the plot needs an extra: pip install 'fer-edge[video]' ({error})") from error
    columns = max(1, min(MOST_COLUMNS, len(sweeps)))
    rows = max(1, -(-len(sweeps) // columns))
    width_in = max(LEAST_WIDTH_IN, COLUMN_IN * columns)
    figure = Figure(figsize=(width_in, 0.7 + ROW_IN * rows), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(sweeps) :]:
        axis.set_axis_off()
    for axis, (emotion, points) in zip(axes, sweeps.items(), strict=False):
        enters = [point.enter for point in points]
        axis.plot(enters, [point.events / hours for point in points], color=HEX[emotion], linewidth=2.2, label="all")
        brief = [point.brief / hours for point in points]
        axis.plot(enters, brief, color="black", linestyle="--", linewidth=1.2, label=f"ended within {BRIEF_S:g} s")
        axis.axvline(present.thresholds(emotion)[0], color="#666666", linewidth=1.2, label="enter when recorded")
        if other.thresholds(emotion) != present.thresholds(emotion):
            axis.axvline(other.thresholds(emotion)[0], color="#d55e00", linestyle=":", linewidth=2, label="enter tried")
        axis.set_title(emotion, fontsize=10)
        axis.set_xlabel("enter threshold", fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.25)
    figure.supylabel("events per hour", fontsize=10)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    try:
        figure.savefig(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {os_reason(error)}") from error
    except ValueError as error:  # a suffix that matplotlib does not support
        raise UserError(f"{path}: cannot be written: {error}") from error


def as_yaml(decide: DecideSettings) -> str:
    """Return the section to paste into config.yaml."""
    return msgspec.yaml.encode({"decide": as_tree(decide)}).decode().rstrip()


def comparison_json(difference: Comparison) -> dict[str, Any]:
    """Return the JSON object of a comparison, with all events that differ."""
    return {
        "kept": len(difference.kept),
        "moved": [[_event_json(one), _event_json(other)] for one, other in difference.moved],
        "new": [_event_json(event) for event in difference.new],
        "gone": [_event_json(event) for event in difference.gone],
    }


def print_differences(
    console: Console, recordings: Sequence[Recording], differences: Sequence[Comparison], hours: float, left_out: int
) -> None:
    """Print the sums, and the first events that differ."""
    sums = {name: sum(len(getattr(one, name)) for one in differences) for name in ("kept", "moved", "new", "gone")}
    before = sums["kept"] + sums["moved"] + sums["gone"]
    after = sums["kept"] + sums["moved"] + sums["new"]
    console.print(
        f"{_length(hours)}: {_many(before, 'event')} as recorded ({before / hours:.0f} per hour), {after} with these "
        f"settings ({after / hours:.0f} per hour): " + ", ".join(f"{count} {name}" for name, count in sums.items()),
        highlight=False,
        soft_wrap=True,
    )
    if left_out:
        console.print(f"Left out: {_many(left_out, 'face')} present before the recording began.", highlight=False)
    lines = [
        line for recording, one in zip(recordings, differences, strict=True) for line in _lines(one, recording.began)
    ]
    for _, line in lines[:LISTED]:
        console.print("  " + line, highlight=False, soft_wrap=True)
    if len(lines) > LISTED:
        console.print(f"  and {len(lines) - LISTED} more; see --json", highlight=False)


def print_emotions(
    console: Console,
    events: tuple[Sequence[Sequence[Event]], Sequence[Sequence[Event]]],
    settings: tuple[DecideSettings, DecideSettings],
    shown: Sequence[str],
) -> None:
    """Print thresholds and numbers of events of each expression, before and after."""
    table = _table(console, "events by expression, before -> after")
    for heading in ("expression", "enter", "leave", "events", f"brief (< {BRIEF_S:g} s)"):
        table.add_column(heading, justify="left" if heading == "expression" else "right")
    for emotion in shown:
        (enter, leave), (new_enter, new_leave) = (decide.thresholds(emotion) for decide in settings)
        times = [sum(count_events(one, emotion) for one in side) for side in events]
        briefly = [sum(count_brief(one, emotion) for one in side) for side in events]
        cells = [(enter, new_enter), (leave, new_leave), tuple(times), tuple(briefly)]
        table.add_row(emotion, *(_before_after(*pair) for pair in cells))
    console.print(table)


def print_sweeps(console: Console, sweeps: Mapping[str, Sequence[Point]], hours: float) -> None:
    """Print events per hour for each threshold, brief ones in brackets."""
    if not sweeps:
        return
    table = _table(console, "events per hour (brief ones) by enter threshold")
    table.add_column("enter", justify="right")
    for emotion in sweeps:
        table.add_column(emotion, justify="right")
    for row in zip(*sweeps.values(), strict=True):
        cells = [
            f"{point.events / hours:.0f}" + (f" ({point.brief / hours:.0f})" if point.brief else "") for point in row
        ]
        table.add_row(f"{row[0].enter:.2f}", *cells)
    console.print(table)


def _event_json(event: Event) -> dict[str, Any]:
    return {"at": event.at, "event_type": event.kind.value, "face": event.face, "emotion": event.emotion}


def _many(count: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _length(hours: float) -> str:
    """Return a length of time in a readable unit."""
    if hours >= 1.0:
        return f"{hours:.1f} hours"
    minutes = 60.0 * hours
    return f"{minutes:.1f} minutes" if minutes >= 1.0 else f"{60.0 * minutes:.1f} seconds"


def _lines(difference: Comparison, began: float) -> list[tuple[float, str]]:
    lines = [(event.at, f"new    {_event_text(event, began)}") for event in difference.new]
    lines += [(event.at, f"gone   {_event_text(event, began)}") for event in difference.gone]
    lines += [
        (one.at, f"moved  {_event_text(one, began)}, by {other.at - one.at:+.2f} s") for one, other in difference.moved
    ]
    return sorted(lines)


def _event_text(event: Event, began: float) -> str:
    return f"{event.at - began:9.2f} s  face {event.face} {event.kind.value} {event.emotion or 'unsure'}"


def _table(console: Console, title: str) -> Table:
    """Return a table, without lines if the output is piped."""
    return Table(title=title, title_justify="left", box=box.ROUNDED if console.is_terminal else None)


def _before_after(before: float, after: float) -> str:
    return f"{before:g}" if before == after else f"{before:g} -> {after:g}"
