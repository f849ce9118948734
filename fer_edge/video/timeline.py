"""Timeline of a video as a plot: expression, smoothed scores and events of each face."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge.annotate import HEX, NO_EXPRESSION_HEX
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.events.lifecycle import Decision
from fer_edge.pipeline import PipelineObserver
from fer_edge.types import Event, EventKind, Face, FaceState, Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_GAP_S, GAP_STEPS = 0.5, 3.0  # a gap is longer than this, and than so many median steps
MOST_POINTS = 4000  # of one face; the plot is 1560 pixels wide
MOST_FACES = 8  # those longest in sight
WIDTH_IN, FACE_IN, FRAME_IN, DPI = 12.0, 1.7, 1.3, 130
BAND = (-0.26, 0.16)  # bottom and height of the expression band below the scores, in score units
MARKERS = {EventKind.APPEARED: "^", EventKind.CHANGED: "D", EventKind.GONE: "v"}


@dataclass(slots=True)
class Trace:
    """Time series of one face; every second point is dropped when it grows too long, to bound memory."""

    times: list[float] = field(default_factory=list)  # seconds
    held: list[str | None] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)  # (7,) smoothed
    stride: int = 1  # every stride-th frame is kept
    frames: int = 0
    ended: float = 0.0  # seconds, of the latest frame

    def add(self, state: FaceState, now: float) -> None:
        """Add a frame with this face."""
        if self.frames % self.stride == 0:
            self.times.append(now)
            self.held.append(state.emotion)
            self.scores.append(state.scores)
        self.frames += 1
        self.ended = now
        if len(self.times) > MOST_POINTS:
            del self.times[1::2], self.held[1::2], self.scores[1::2]
            self.stride *= 2

    def gaps(self) -> list[bool]:
        """Return for each point whether the face was out of sight until the next."""
        steps = np.diff(np.array([*self.times, self.ended]))
        longest = max(LEAST_GAP_S, GAP_STEPS * float(np.median(steps)))
        return [bool(step > longest) for step in steps]

    def bands(self) -> list[tuple[float, float, str | None]]:
        """Return (from, to, expression) in seconds for each stretch in sight without a change."""
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
        """Return seconds (n) and smoothed scores (n, 7), with NaN in each gap to break the line."""
        times: list[float] = []
        scores: list[NDArray[np.float32]] = []
        for at, score, gap in zip(self.times, self.scores, self.gaps(), strict=True):
            times += [at, at] if gap else [at]
            scores += [score, np.full(len(EMOTIONS), np.nan, np.float32)] if gap else [score]
        return times, np.array(scores, np.float32).reshape(-1, len(EMOTIONS))


class Traces(PipelineObserver):
    """Pipeline observer that keeps a trace of each face, and all events."""

    def __init__(self) -> None:
        self.faces: dict[int, Trace] = {}
        self.events: list[Event] = []
        self.seconds = 0.0

    def on_frame(self, _frame: Frame, _faces: Sequence[Face], decision: Decision, now: float) -> None:
        """Add a frame to the traces of its faces."""
        self.seconds = now
        self.events.extend(decision.events)
        for state in decision.in_frame:
            self.faces.setdefault(state.face, Trace()).add(state, now)

    def on_close(self, events: Sequence[Event], _reason: str, _now: float) -> None:
        """Add the last events."""
        self.events.extend(events)

    def announced(self) -> list[int]:
        """Return the announced faces, those longest in sight first."""
        faces = {event.face for event in self.events}
        return sorted(faces & self.faces.keys(), key=lambda face: (-self.faces[face].frames, face))


def require() -> None:
    """Raise UserError if the extra is not installed; called before the analysis."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            f"the timeline needs an extra: pip install 'fer-edge[video]', or leave it out with --write ({error})"
        ) from error
    assert mpl


def draw_timeline(traces: Traces, title: str, path: Path) -> None:
    """Write the plot; a video without faces gets one that says so."""
    from matplotlib.figure import Figure  # noqa: PLC0415  the extra

    announced = traces.announced()
    faces = sorted(announced[:MOST_FACES])
    rows = max(1, len(faces))
    figure = Figure(figsize=(WIDTH_IN, FRAME_IN + FACE_IN * rows), dpi=DPI, layout="constrained")
    if len(announced) > MOST_FACES:
        title += f": the {MOST_FACES} of {len(announced)} faces that were longest in sight"
    figure.suptitle(title, parse_math=False)  # a file name may contain dollar signs
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
        colour = NO_EXPRESSION_HEX if held is None else HEX[held]
        axis.broken_barh([(begin, end - begin)], BAND, facecolors=colour)
    for event in traces.events:
        if event.face == face:
            # `face_gone` is published after the face has been away for a while; it is drawn at that time.
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
    entries.append(Patch(color=NO_EXPRESSION_HEX, label="no expression"))
    names = {EventKind.APPEARED: "appeared", EventKind.CHANGED: "changed", EventKind.GONE: "gone"}
    entries += [
        Line2D([], [], color="black", marker=MARKERS[kind], linestyle="", label=name) for kind, name in names.items()
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, fontsize=9)


def _label_time(axis: "Axes", seconds: float) -> str:
    """Label the axis in minutes and seconds if the video is longer than two minutes; return the unit."""
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    if seconds < 120.0:  # noqa: PLR2004
        return "seconds"
    axis.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{math.floor(at / 60)}:{round(at % 60):02d}"))
    return "minutes:seconds"
