"""Pictures of what a network scores: confusion matrix and reliability diagram, as PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from converter.networks.metrics import Reliability
from fer_edge.emotions import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130
DARK_SHARE = 0.55  # of a row: from here on the cell is so dark that its figure must be white
BLUE, RED, GREY = "#2f6db5", "#d1495b", "#8a8f98"


def confusion_picture(counts: NDArray[np.int64], title: str) -> bytes:
    """PNG of a (7, 7) confusion matrix: each cell its part of the true class in %, and the number of faces."""
    figure = _figure(6.4, 5.9, title)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > DARK_SHARE else "#1d2733"
        axes.text(column, row - 0.08, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=10)
        axes.text(column, row + 0.26, f"{counts[row, column]}", ha="center", va="center", color=colour, fontsize=6.5)
    names = [f"{emotion}\n{total}" for emotion, total in zip(EMOTIONS, counts.sum(axis=1), strict=True)]
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, fontsize=8.5)
    axes.set_yticks(range(len(EMOTIONS)), names, fontsize=8.5)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _png(figure)


def reliability_picture(reliability: Reliability, title: str) -> bytes:
    """Reliability diagram as PNG: accuracy by confidence against the diagonal, and the number of faces."""
    figure = _figure(5.2, 5.9, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    width = 1 / len(reliability.faces)
    centres = (np.arange(len(reliability.faces)) + 0.5) * width
    there = reliability.faces > 0
    above.bar(centres[there], reliability.accuracy[there], width * 0.92, color=BLUE, label="right")
    above.hlines(
        reliability.confidence[there],
        centres[there] - width / 2,
        centres[there] + width / 2,
        color=RED,
        linewidth=2.2,
        label="mean confidence",
    )
    above.plot((0, 1), (0, 1), "--", color=GREY, linewidth=1)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="part that is right")
    above.legend(loc="upper left", frameon=False, fontsize=9, title=f"ECE {reliability.ece:.1%}", title_fontsize=12)
    below.bar(centres, reliability.faces, width * 0.92, color=GREY)
    below.set(xlabel="confidence", ylabel="faces")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _figure(width: float, height: float, title: str) -> Figure:
    """A figure without a window, by the object interface: a notebook's own figures are left alone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
