"""What `fer-edge tune` says: differences, thresholds beside each other, sweeps; for a person, or plain where piped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from fer_edge.annotate import HEX
from fer_edge.config.model import DecideSettings
from fer_edge.errors import UserError
from fer_edge.recording.format import Recording
from fer_edge.tuning.replay import Comparison
from fer_edge.tuning.search import BRIEF_S, Point, brief, thresholds, told
from fer_edge.types import Event

MOST_COLUMNS, COLUMN_IN, ROW_IN, DPI = 4, 3.6, 2.7, 120
LEAST_WIDTH_IN = 9.0  # what the legend needs
LISTED = 20  # events that differ; the JSON has all


def draw_sweeps(
    sweeps: Mapping[str, Sequence[Point]], hours: float, present: DecideSettings, other: DecideSettings, path: Path
) -> None:
    """Writes the picture; raises UserError where matplotlib is missing or the path cannot be written."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  the extra
    except ImportError as error:
        raise UserError(f"the picture needs its extra: pip install 'fer-edge[video]' ({error})") from error
    columns = max(1, min(MOST_COLUMNS, len(sweeps)))
    rows = max(1, -(-len(sweeps) // columns))
    width_in = max(LEAST_WIDTH_IN, COLUMN_IN * columns)
    figure = Figure(figsize=(width_in, 0.7 + ROW_IN * rows), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(sweeps) :]:
        axis.set_axis_off()
    for axis, (emotion, points) in zip(axes, sweeps.items(), strict=False):
        enters = [point.enter for point in points]
        axis.plot(enters, [point.told / hours for point in points], color=HEX[emotion], linewidth=2.2, label="told")
        brief = [point.brief / hours for point in points]
        axis.plot(enters, brief, color="black", linestyle="--", linewidth=1.2, label=f"given up within {BRIEF_S:g} s")
        axis.axvline(thresholds(present, emotion)[0], color="#666666", linewidth=1.2, label="enter when recorded")
        if thresholds(other, emotion) != thresholds(present, emotion):
            axis.axvline(
                thresholds(other, emotion)[0], color="#d55e00", linestyle=":", linewidth=2, label="enter tried"
            )
        axis.set_title(emotion, fontsize=10)
        axis.set_xlabel("enter threshold", fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.25)
    figure.supylabel("events an hour", fontsize=10)
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    try:
        figure.savefig(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # an ending that matplotlib does not know
        raise UserError(f"{path}: cannot be written: {error}") from error


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
