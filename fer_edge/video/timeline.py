"""A picture of a whole video: for each face what was held of it, how the scores ran, and the events."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge.annotate import HEX, NOTHING_HELD_HEX
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.events.lifecycle import Decision
from fer_edge.types import Event, EventKind, Face, FaceState, Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_GAP_S, GAP_STEPS = 0.5, 3.0  # out of sight: longer than that, and than so many usual steps
MOST_POINTS = 4000  # of one face; a picture is 1600 pixels wide
MOST_FACES = 8  # those longest in sight; the title says of how many
WIDTH_IN, FACE_IN, FRAME_IN, DPI = 12.0, 1.7, 1.3, 130
BAND = (-0.26, 0.16)  # where the band of what is held lies below the scores, and its height, in score units
MARKERS = {EventKind.APPEARED: "^", EventKind.CHANGED: "D", EventKind.GONE: "v"}


@dataclass(slots=True)
class Trace:
    """One face: thinned by half whenever it grows too long, so that a day's video fits in memory."""

    times: list[float] = field(default_factory=list)  # seconds
    held: list[str | None] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)  # (7,) smoothed
    stride: int = 1  # every stride-th frame is kept
    frames: int = 0
    ended: float = 0.0  # seconds, the latest frame, kept or not

    def add(self, verdict: FaceState, now: float) -> None:
        """One more frame with this face."""
        if self.frames % self.stride == 0:
            self.times.append(now)
            self.held.append(verdict.emotion)
            self.scores.append(verdict.scores)
        self.frames += 1
        self.ended = now
        if len(self.times) > MOST_POINTS:
            del self.times[1::2], self.held[1::2], self.scores[1::2]
            self.stride *= 2

    def gaps(self) -> list[bool]:
        """For each point whether the face was out of sight between it and the next."""
        steps = np.diff(np.array([*self.times, self.ended]))
        longest = max(LEAST_GAP_S, GAP_STEPS * float(np.median(steps)))
        return [bool(step > longest) for step in steps]

    def bands(self) -> list[tuple[float, float, str | None]]:
        """(from, to, expression) in seconds, as long as it was held in sight and without a change."""
        found: list[tuple[float, float, str | None]] = []
        ends = [*self.times[1:], self.ended]
        broken = True
        for begin, end, held, gap in zip(self.times, ends, self.held, self.gaps(), strict=True):
            until = begin if gap else end
            if not broken and found[-1][2] == held:
                found[-1] = (found[-1][0], until, held)
            else:
                found.append((begin, until, held))
            broken = gap
        return found

    def lines(self) -> tuple[list[float], NDArray[np.float32]]:
        """Seconds (n) and smoothed scores (n, 7), with a point that is no number in each gap: there the line breaks."""
        times: list[float] = []
        scores: list[NDArray[np.float32]] = []
        for at, score, gap in zip(self.times, self.scores, self.gaps(), strict=True):
            times += [at, at] if gap else [at]
            scores += [score, np.full(len(EMOTIONS), np.nan, np.float32)] if gap else [score]
        return times, np.array(scores, np.float32).reshape(-1, len(EMOTIONS))


class Traces:
    """A observer that keeps a trace of each face, and all events."""

    def __init__(self) -> None:
        self.faces: dict[int, Trace] = {}
        self.events: list[Event] = []
        self.seconds = 0.0

    def on_frame(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Adds a frame to the traces of the faces in it."""
        self.seconds = now
        self.events.extend(decision.events)
        for verdict in decision.in_frame:
            self.faces.setdefault(verdict.face, Trace()).add(verdict, now)

    def on_tick(self, decision: Decision, now: float) -> None:
        """A video does not wait."""

    def on_close(self, events: Sequence[Event], _reason: str, _now: float) -> None:
        """The farewells."""
        self.events.extend(events)

    def announced(self) -> list[int]:
        """The faces that were announced, those longest in sight first."""
        told = {event.face for event in self.events}
        return sorted(told & self.faces.keys(), key=lambda face: (-self.faces[face].frames, face))


def require() -> None:
    """Raises UserError where the extra is not installed: before an hour of work, not after it."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            f"the timeline needs its extra: pip install 'fer-edge[video]', or leave it out with --write ({error})"
        ) from error
    assert mpl


def draw_timeline(traces: Traces, title: str, path: Path) -> None:
    """Writes the picture; a video without a face gets one that says so."""
    from matplotlib.figure import Figure  # noqa: PLC0415  the extra

    announced = traces.announced()
    faces = sorted(announced[:MOST_FACES])
    rows = max(1, len(faces))
    figure = Figure(figsize=(WIDTH_IN, FRAME_IN + FACE_IN * rows), dpi=DPI, layout="constrained")
    if len(announced) > MOST_FACES:
        title += f": the {MOST_FACES} of {len(announced)} faces that were longest in sight"
    figure.suptitle(title, parse_math=False)  # a file's name may hold dollars
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    if not faces:
        axes[0].text(0.5, 0.5, "no face was announced", ha="center", va="center", transform=axes[0].transAxes)
        axes[0].set_yticks([])
    for axis, face in zip(axes, faces, strict=False):
        _draw_face(axis, traces, face)
    axes[-1].set_xlim(0.0, max(traces.seconds, 0.1))
    axes[-1].set_xlabel("time in the video, " + _label_time(axes[-1], traces.seconds))
    _draw_legend(figure)
    figure.savefig(path, format=path.suffix.removeprefix("."))


def _draw_face(axis: "Axes", traces: Traces, face: int) -> None:
    trace = traces.faces[face]
    times, lines = trace.lines()
    for index, emotion in enumerate(EMOTIONS):
        axis.plot(times, lines[:, index], color=HEX[emotion], linewidth=1.4)
    for begin, end, held in trace.bands():
        colour = NOTHING_HELD_HEX if held is None else HEX[held]
        axis.broken_barh([(begin, end - begin)], BAND, facecolors=colour)
    for event in traces.events:
        if event.face == face:
            # A farewell comes when the face has been away for a while; its place in the picture is still that moment.
            axis.axvline(event.at, color="#00000055", linewidth=0.8)
            axis.plot([event.at], [1.06], MARKERS[event.kind], color="black", markersize=5, clip_on=False)
    axis.set_ylim(BAND[0], 1.12)
    axis.set_yticks([0.0, 0.5, 1.0])
    axis.set_ylabel(f"face {face}\nscore")
    axis.grid(visible=True, alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _draw_legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    entries: list[Line2D | Patch] = [Patch(color=HEX[emotion], label=emotion) for emotion in EMOTIONS]
    entries.append(Patch(color=NOTHING_HELD_HEX, label="nothing held"))
    names = {EventKind.APPEARED: "appeared", EventKind.CHANGED: "changed", EventKind.GONE: "gone"}
    entries += [
        Line2D([], [], color="black", marker=MARKERS[kind], linestyle="", label=name) for kind, name in names.items()
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, fontsize=9)


def _label_time(axis: "Axes", seconds: float) -> str:
    """Minutes and seconds on the axis where the video is longer than two minutes; gives the unit."""
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    if seconds < 120.0:  # noqa: PLR2004
        return "seconds"
    axis.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{math.floor(at / 60)}:{round(at % 60):02d}"))
    return "minutes:seconds"
