"""The sweeps as a picture: for each expression, events an hour against its threshold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_edge.colours import HEX
from fer_edge.config.model import DecideSettings
from fer_edge.errors import UserError
from fer_edge.tuning.choose import thresholds
from fer_edge.tuning.sweep import BRIEF_S, Point

MOST_COLUMNS, COLUMN_IN, ROW_IN, DPI = 4, 3.6, 2.7, 120
LEAST_WIDTH_IN = 9.0  # what the legend needs


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
