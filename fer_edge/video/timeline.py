"""A picture of a whole video: for each face what was held of it, how the scores ran, and the events."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.colours import HEX, NOTHING_HELD_HEX
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.types import EventKind
from fer_edge.video.traces import Traces

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_FACES = 8  # those longest in sight; the title says of how many
WIDTH_IN, FACE_IN, FRAME_IN, DPI = 12.0, 1.7, 1.3, 130
BAND = (-0.26, 0.16)  # where the band of what is held lies below the scores, and its height, in score units
MARKERS = {EventKind.APPEARED: "^", EventKind.CHANGED: "D", EventKind.GONE: "v"}


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
