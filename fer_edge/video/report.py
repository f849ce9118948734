"""What `fer-edge video` says at the end: a table for a person, or a line for each video where it is piped."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_edge.plain_text import plain_text
from fer_edge.video.statistics import Report

MOST_SHOWN = 3  # expressions of a video


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
