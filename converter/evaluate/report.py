"""Report of `fer-convert evaluate` as text, Markdown, HTML and JSON, with plots and counts per network. Pure."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.evaluate.evaluation import Evaluation
from converter.networks.metrics import Measured, agreement
from converter.reports import Report
from fer_edge.emotions import EMOTIONS

KILOBYTE = 1000
NOTHING = "-"
CAPTIONS = (
    "Confusion matrix: of the faces with a row's label, the part that the network gives each column's name.",
    "Reliability: accuracy by confidence; on the diagonal the confidence is calibrated.",
)
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Networks that were evaluated on the same faces."""

    split: str
    data: str  # name of the data, as a person gave it
    evaluations: tuple[Evaluation, ...]  # the first is what the others are compared with
    latencies_ms: tuple[float | None, ...]  # None for a Keras network
    machine: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a heading; every cell is text."""

    heading: str
    columns: Row
    rows: tuple[Row, ...]


class Pictures(NamedTuple):
    """The file names of one network's pictures."""

    confusion: str
    reliability: str


def tables(comparison: Comparison) -> list[Table]:
    """Tables that compare networks: scores, and agreement where there is more than one."""
    found = [_scores(comparison)]
    return found + ([_agreement(comparison.evaluations)] if len(comparison.evaluations) > 1 else [])


def title(comparison: Comparison) -> str:
    return f"{comparison.split}, {comparison.evaluations[0].measured.faces:,} faces"


def as_markdown(comparison: Comparison, pictures: Sequence[Pictures]) -> bytes:
    """The comparison for reading; ``pictures`` has an entry for each network."""
    parts = [f"# {title(comparison)}", _circumstances(comparison)]
    parts += [f"## {table.heading}\n\n{markdown_table(table)}" for table in tables(comparison)]
    for evaluation, names in zip(comparison.evaluations, pictures, strict=True):
        parts += [f"## {evaluation.name}", markdown_table(_classes(evaluation))]
        parts += [f"![{caption}]({name})" for caption, name in zip(CAPTIONS, names, strict=True)]
    return ("\n\n".join(parts) + "\n").encode()


def as_html(comparison: Comparison, pictures: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The comparison as one page; ``pictures`` are each network's confusion matrix and reliability diagram as PNG."""
    report = Report(title(comparison))
    report.add_text(_circumstances(comparison))
    for table in tables(comparison):
        report.add_heading(table.heading)
        report.add_table(table.columns, table.rows)
    for evaluation, pngs in zip(comparison.evaluations, pictures, strict=True):
        report.add_heading(evaluation.name)
        classes = _classes(evaluation)
        report.add_table(classes.columns, classes.rows)
        for caption, png in zip(CAPTIONS, pngs, strict=True):
            report.add_figure(png, caption)
    return report.html().encode()


def markdown_table(table: Table) -> str:
    """A table in Markdown: first column to the left, figures to the right."""
    rule = ("---", *["---:"] * (len(table.columns) - 1))
    return "\n".join("| " + " | ".join(row) + " |" for row in (table.columns, rule, *table.rows))


def as_json(comparison: Comparison) -> bytes:
    """The comparison for programs: fractions 0 to 1, all seven classes in the order of `EMOTIONS`."""
    first = comparison.evaluations[0].probabilities
    models = [
        _figures(evaluation.measured)
        | {
            "name": evaluation.name,
            "file": evaluation.path.name,
            "kind": evaluation.kind,
            "bytes": evaluation.size_bytes,
            "latency_ms": latency,
            "agreement_with_first": agreement(evaluation.probabilities, first),
        }
        for evaluation, latency in zip(comparison.evaluations, comparison.latencies_ms, strict=True)
    ]
    head = {"schema": 1, "split": comparison.split, "data": comparison.data, "machine": comparison.machine}
    return (json.dumps(head | {"emotions": EMOTIONS, "models": models}, indent=2) + "\n").encode()


def confusion_csv(counts: NDArray[np.int64]) -> str:
    """Counts as CSV: a row a true class, a column a predicted one."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("true \\ predicted", *EMOTIONS))
    writer.writerows((emotion, *counts[row].tolist()) for row, emotion in enumerate(EMOTIONS))
    return stream.getvalue()


def _circumstances(comparison: Comparison) -> str:
    return f"Data: {comparison.data}. Milliseconds a face: median on one thread of this machine ({comparison.machine})."


def _scores(comparison: Comparison) -> Table:
    reference = next((latency for latency in comparison.latencies_ms if latency), None)
    first = comparison.evaluations[0].probabilities
    rows = []
    for evaluation, latency in zip(comparison.evaluations, comparison.latencies_ms, strict=True):
        measured = evaluation.measured
        rows.append(
            (
                evaluation.name,
                evaluation.kind,
                f"{measured.top1:.2%}",
                f"{measured.macro_f1:.2%}",
                f"{measured.ece:.2%}",
                f"{measured.log_loss:.3f}",
                f"{agreement(evaluation.probabilities, first):.2%}",
                f"{evaluation.size_bytes / KILOBYTE:,.1f}",
                f"{latency:.3f}" if latency else NOTHING,
                f"{latency / reference:.2f}" if latency and reference else NOTHING,
            )
        )
    columns = (
        "network", "kind", "top-1", "macro-F1", "ECE", "log loss", "agrees with the first", "kB", "ms a face", "ratio",
    )  # fmt: skip
    return Table("Scores", columns, tuple(rows))


def _agreement(evaluations: Sequence[Evaluation]) -> Table:
    """Share of the faces for which each two networks name the same expression."""
    names = tuple(evaluation.name for evaluation in evaluations)
    rows = tuple(
        (one.name, *(f"{agreement(one.probabilities, other.probabilities):.2%}" for other in evaluations))
        for one in evaluations
    )
    return Table("Agreement", ("network", *names), rows)


def _classes(evaluation: Evaluation) -> Table:
    measured = evaluation.measured
    rows = tuple(
        (
            emotion,
            str(measured.confusion[k].sum()),
            f"{measured.precision[k]:.1%}",
            f"{measured.recall[k]:.1%}",
            f"{measured.f1[k]:.1%}",
        )
        for k, emotion in enumerate(EMOTIONS)
    )
    return Table("Classes", ("expression", "faces", "precision", "recall", "F1"), rows)


def _figures(measured: Measured) -> dict[str, object]:
    bins = measured.reliability
    return {
        "faces": measured.faces,
        "top1": measured.top1,
        "macro_f1": measured.macro_f1,
        "ece": measured.ece,
        "log_loss": measured.log_loss,
        "precision": measured.precision.tolist(),
        "recall": measured.recall.tolist(),
        "f1": measured.f1.tolist(),
        "confusion": measured.confusion.tolist(),
        "reliability": {
            "faces": bins.faces.tolist(),
            "confidence": bins.confidence.tolist(),
            "accuracy": bins.accuracy.tolist(),
        },
    }
