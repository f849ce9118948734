"""`fer-convert explore`: what is in a data set, on the terminal and as one page to keep."""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from converter.data import statistics as findings
from converter.data.faces import FERPLUS, Faces
from converter.data.fer2013 import counted, read_faces
from converter.options import data_option
from converter.reports import Report, show_table
from fer_edge.emotions import EMOTIONS

SEED = 2013  # of the sample pictures


@dataclass(frozen=True, slots=True)
class Table:
    """Text to show; the first column is words."""

    heading: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All results of `explore`, before they are drawn or printed."""

    counts: dict[str, NDArray[np.int64]]
    blank: NDArray[np.int64]
    same: list[findings.Pair]
    near: list[findings.Pair]
    agreement: NDArray[np.int64] | None


@click.command(short_help="Look at a data set.")
@data_option
@click.option(
    "--votes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="FER+ votes to join in: fer2013new.csv. Sheets have them already.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("explore.html"),
    show_default=True,
    help="The report to write.",
)
def command(data: Path, votes: Path | None, output: Path) -> None:
    """Count the classes of each split, show samples and mean faces, find pictures that occur twice, and compare
    labels with FER+ votes. Tables on the terminal, and one HTML page with the pictures.
    """
    console = Console(soft_wrap=True, highlight=False)
    with console.status("reading faces") as status:
        faces = read_faces(data, votes)
        status.update("looking for duplicates")
        found = explore(faces)
        status.update("drawing")
        write_report(faces, found, data.name, output)
    console.print(counted(faces), markup=False)
    for table in tables(faces, found):
        show_table(console, table.heading, table.columns, table.rows)
    console.print(f"written to {output}", markup=False)


def explore(faces: Faces) -> Found:
    """Everything there is to find in ``faces``; some seconds, nearly all for the near-duplicates."""
    same = findings.exact_pairs(findings.exact_duplicates(faces))
    near = findings.near_duplicates(faces)
    return Found(findings.counts(faces), findings.blank(faces), same, near, findings.agreement(faces))


def tables(faces: Faces, found: Found) -> list[Table]:
    """The findings as text."""
    made = [_counts_table(found.counts), _duplicates_table(faces, found)]
    return made if found.agreement is None else [*made, _agreement_table(found.agreement)]


def write_report(faces: Faces, found: Found, data: str, path: Path) -> None:
    """One HTML file with the tables and the pictures."""
    from converter.explore import plots as draw  # matplotlib takes a second to import, `--help` should not

    report = Report(f"What is in {data}")
    report.add_text(f"{len(faces):,} faces: {counted(faces)}.")
    made = tables(faces, found)
    _add(report, made[0], draw.counts_picture(found.counts), "Share of each class; dotted: if all were equal.")
    report.add_heading("Samples")
    report.add_figure(draw.samples_picture(faces, SEED), f"Faces of each class, drawn at random (seed {SEED}).")
    report.add_heading("Mean faces")
    report.add_text("The mean of all pictures of a class: what remains is what its faces have in common.")
    report.add_figure(draw.means_picture(findings.mean_faces(faces)), "Mean face of each class, all splits.")
    pairs = [*found.same, *found.near]
    across = [pair for pair in pairs if faces.usages[pair.first] != faces.usages[pair.second]]
    torn = [pair for pair in pairs if faces.labels[pair.first] != faces.labels[pair.second]]
    _add(report, made[1])
    if across:
        report.add_figure(draw.pairs_picture(faces, _spread(across)), "The same picture in two splits.")
    if torn:
        report.add_figure(draw.pairs_picture(faces, _spread(torn)), "The same picture with two labels.")
    if found.agreement is not None:
        _add(report, made[2], draw.agreement_picture(found.agreement), "Labels against the majority of FER+ votes.")
    report.write(path)


def _add(report: Report, table: Table, png: bytes | None = None, caption: str = "") -> None:
    report.add_heading(table.heading)
    report.add_text(table.note)
    report.add_table(table.columns, table.rows)
    if png:
        report.add_figure(png, caption)


def _spread(pairs: list[findings.Pair]) -> list[findings.Pair]:
    """A dozen of ``pairs`` from all of their range, from identical to merely alike."""
    return [pairs[index] for index in np.unique(np.linspace(0, len(pairs) - 1, 12).astype(int))]


def _counts_table(counts: dict[str, NDArray[np.int64]]) -> Table:
    total = sum(counts.values())
    columns = ("class", *(cell for usage in counts for cell in (usage, "share")))
    rows = [
        (name, *(cell for of in counts.values() for cell in (f"{of[label]:,}", f"{of[label] / of.sum():.1%}")))
        for label, name in enumerate(EMOTIONS)
    ]
    rows.append(("all", *(cell for of in counts.values() for cell in (f"{of.sum():,}", "100.0%"))))
    smallest, largest = EMOTIONS[int(np.argmin(total))], EMOTIONS[int(np.argmax(total))]
    note = (
        f"{largest} is {findings.imbalance(np.asarray(total)):.1f} times as frequent as {smallest}. Who always "
        f"answers {largest} is right in {np.max(total) / np.sum(total):.1%}."
    )
    return Table("Classes", note, columns, tuple(rows))


def _duplicates_table(faces: Faces, found: Found) -> Table:
    rows = []
    for kind, pairs in (("same pixels", found.same), ("same photo", found.near)):
        for overlap in findings.overlaps(faces, pairs):
            where = " and ".join(dict.fromkeys(overlap.splits))
            rows.append((kind, where, f"{overlap.pairs:,}", f"{overlap.disagree:,}"))
    note = (
        f"Same photo: different pixels that correlate by {findings.NEAR:.2f} or more, mirrored ones included. A face "
        "that is in two splits is known before it is tested. "
        f"Pictures of one single grey: {len(found.blank)}."
    )
    return Table("Duplicates", note, ("kind", "splits", "pairs", "labels differ"), tuple(rows))


def _agreement_table(table: NDArray[np.int64]) -> Table:
    shares = findings.agreed(table)
    order = np.argsort(-table, axis=1)
    rows = []
    for label, name in enumerate(EMOTIONS):
        first, second = (f"{FERPLUS[column]} {table[label, column]:,}" for column in order[label, :2])
        share = "-" if np.isnan(shares[label]) else f"{shares[label]:.1%}"
        rows.append((name, f"{table[label].sum():,}", share, first, second))
    same = np.nansum(shares * table.sum(axis=1)) / max(1, table.sum())
    note = (
        f"Of the faces on which the ten FER+ annotators have a majority, {same:.1%} have the same label in FER-2013: "
        "the ceiling for a network that is trained on the one and tested on the other."
    )
    return Table("Agreement with FER+", note, ("label", "faces", "same", "most often", "next"), tuple(rows))
