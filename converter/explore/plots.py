"""Pictures of a data set: how many faces, which, what they have in common. PNG, dark ink on white."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from converter.data.faces import FERPLUS, Faces
from converter.data.statistics import Pair
from fer_edge.emotions import EMOTIONS, canonical

DPI = 130
INK, SOFT = "#1d2733", "#5b6673"
COLOURS = ("#2f6db5", "#e0913a", "#8a8f98")  # of the splits
ACROSS = 14  # faces in a row of samples
PAIRS = 12  # duplicates that are shown
DARK_SHARE = 0.55  # of a row: from here on a cell is so dark that its figure must be white

# FER+ in our order, so that agreement is the diagonal; then what has no class here.
COLUMNS = sorted(range(len(FERPLUS)), key=lambda column: (*EMOTIONS, None).index(canonical(FERPLUS[column])))
NAMES = {"NF": "no face"}


def counts_picture(counts: Mapping[str, NDArray[np.int64]]) -> bytes:
    """Bars: each class's share of each split, with its count."""
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(counts)
    for index, (usage, of_classes) in enumerate(counts.items()):
        shares = of_classes / of_classes.sum()
        places = np.arange(len(EMOTIONS)) + (index - (len(counts) - 1) / 2) * width
        bars = axes.bar(places, shares, width * 0.94, color=COLOURS[index], label=f"{usage}, {of_classes.sum():,}")
        axes.bar_label(bars, [f"{count:,}" for count in of_classes], fontsize=7, color=SOFT, padding=1.5)
    axes.axhline(1 / len(EMOTIONS), color=SOFT, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylabel("share of the split")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    return _png(figure)


def samples_picture(faces: Faces, seed: int) -> bytes:
    """A row of faces of each class, drawn without choosing; a class with fewer leaves the rest of its row white."""
    rng = np.random.default_rng(seed)
    rows = []
    for label in range(len(EMOTIONS)):
        of_class = np.flatnonzero(faces.labels == label)
        drawn = rng.permutation(of_class)[:ACROSS]
        rows.append([faces.images[index] for index in drawn])
    return _rows_of_faces(rows, EMOTIONS)


def means_picture(means: NDArray[np.float32]) -> bytes:
    """The mean face of each class, side by side; an empty class is left out."""
    there = [label for label in range(len(EMOTIONS)) if np.isfinite(means[label]).all()]
    figure = Figure(figsize=(8.6, 1.62), layout="constrained")
    for place, label in enumerate(there, 1):
        axes = figure.add_subplot(1, len(EMOTIONS), place)
        axes.imshow(means[label], cmap="gray")
        axes.set_title(EMOTIONS[label], fontsize=9, color=INK)
        axes.set_axis_off()
    return _png(figure)


def pairs_picture(faces: Faces, pairs: Sequence[Pair]) -> bytes:
    """The first dozen of ``pairs``, one above the other, with the split and label of each face."""
    figure = Figure(figsize=(8.6, 2.2), layout="constrained")
    for place, pair in enumerate(pairs[:PAIRS]):
        for row, index in enumerate((pair.first, pair.second)):
            axes = figure.add_subplot(2, PAIRS, row * PAIRS + place + 1)
            axes.imshow(faces.images[index], cmap="gray", vmin=0, vmax=255)
            axes.set_title(f"{faces.usages[index]}\n{EMOTIONS[faces.labels[index]]}", fontsize=6, color=INK, pad=2)
            axes.set_axis_off()
    return _png(figure)


def agreement_picture(table: NDArray[np.int64]) -> bytes:
    """Each label's faces by the majority of the FER+ annotators, in percent of the label."""
    figure = Figure(figsize=(8.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    shares = (table / np.maximum(table.sum(axis=1, keepdims=True), 1))[:, COLUMNS]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > DARK_SHARE else INK
        axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=8.5)
    names = [f"{emotion} ({total:,})" for emotion, total in zip(EMOTIONS, table.sum(axis=1), strict=True)]
    axes.set_xticks(
        range(len(FERPLUS)), [NAMES.get(FERPLUS[column], FERPLUS[column]) for column in COLUMNS], fontsize=8.5
    )
    axes.set_yticks(range(len(EMOTIONS)), names, fontsize=8.5)
    axes.set_xlabel("majority of FER+ annotators")
    axes.set_ylabel("label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _png(figure)


def _rows_of_faces(rows: Sequence[Sequence[NDArray[np.uint8]]], names: Sequence[str]) -> bytes:
    """Faces pixel for pixel in one picture: a panel each would cost matplotlib seconds."""
    size = next(len(face) for row in rows for face in row)
    gap = 2
    canvas = np.full((len(rows) * (size + gap), ACROSS * (size + gap)), 255, np.uint8)
    for row, faces in enumerate(rows):
        for column, face in enumerate(faces):
            top, left = row * (size + gap), column * (size + gap)
            canvas[top : top + size, left : left + size] = face
    figure = Figure(figsize=(8.6, 8.0 * canvas.shape[0] / canvas.shape[1]), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=255)
    axes.set_yticks([(row + 0.5) * (size + gap) for row in range(len(rows))], names, fontsize=9)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return file.getvalue()
