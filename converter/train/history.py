"""Metrics of a training run, one row per epoch: as CSV and as curves."""

import csv
import io
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from fer_edge.errors import UserError
from fer_edge.files import atomic_output

DPI = 120
TRAINING, VALIDATION, SOFT = "#2f6db5", "#e0913a", "#5b6673"


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch. Accuracies are fractions; training figures are of augmented faces and mixed targets."""

    epoch: int  # counted from 1
    rate: float  # learning rate at its end
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float  # wall clock, validation included


def best(rows: Sequence[Row]) -> Row | None:
    """The row with the highest validation accuracy, the first of equals; None without rows."""
    return max(rows, key=lambda row: row.val_accuracy, default=None)


def check_loss(epoch: int, name: str, loss: float) -> None:
    """UserError where ``loss``, called ``name``, is no number: what was kept of earlier epochs stays as it is."""
    if not math.isfinite(loss):
        raise UserError(f"epoch {epoch}: the {name} is {loss}; begin again in another folder, with a lower rate")


def write_history(path: Path, rows: Sequence[Any]) -> None:
    """All rows, at least one, dataclasses of one kind, as CSV, written whole."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(rows[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: round(value, 6) for key, value in asdict(row).items()} for row in rows)
    with atomic_output(path) as beside:
        beside.write_text(text.getvalue(), encoding="utf-8")


def draw_curves(rows: Sequence[Row], epochs: int, title: str, path: Path) -> None:
    """Loss and accuracy of training and validation by epoch, as PNG in ``path``, replaced atomically.

    Nothing is drawn without rows.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not rows:
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title, fontsize=11)
    loss, accuracy = figure.subplots(1, 2)
    numbers = [row.epoch for row in rows]
    mark = "o" if len(rows) == 1 else None  # a line of one point is invisible
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        axes.plot(numbers, [getattr(row, name) for row in rows], marker=mark, color=TRAINING, label="training")
        axes.plot(
            numbers, [getattr(row, f"val_{name}") for row in rows], marker=mark, color=VALIDATION, label="validation"
        )
        axes.set_xlim(1, max(2, epochs))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_title(name, fontsize=10)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    top = best(rows)
    assert top is not None
    accuracy.axhline(top.val_accuracy, color=SOFT, linewidth=0.8, linestyle=":", zorder=0)
    accuracy.annotate(
        f"best {top.val_accuracy:.2%}, epoch {top.epoch}",
        (top.epoch, top.val_accuracy),
        xytext=(0, 6),
        textcoords="offset points",
        ha="right" if top.epoch > epochs / 2 else "left",
        fontsize=8.5,
        color=SOFT,
    )
    loss.legend(frameon=False)
    with atomic_output(path) as beside:
        figure.savefig(beside, format="png", dpi=DPI)


def live_curves() -> Callable[[Row], None] | None:
    """Return a function that plots each new row in the notebook; None outside a notebook or without livelossplot."""
    shell = sys.modules.get("IPython")
    if shell is None or type(shell.get_ipython()).__name__ != "ZMQInteractiveShell":
        return None
    try:
        from livelossplot import PlotLosses
    except ImportError:
        return None
    plot = PlotLosses()

    def draw(row: Row) -> None:
        figures = {name: getattr(row, name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        plot.update(figures, current_step=row.epoch)
        plot.send()

    return draw
