"""What `fer-convert evaluate` writes: one table in three forms, and pictures and counts of each network. Pure."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.evaluation import Evaluation
from converter.metrics import Measured, agreement
from fer_edge.labels import EMOTIONS

KILOBYTE = 1000
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Networks that were asked about the same faces."""

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


def tables(comparison: Comparison) -> list[Table]:
    """The whole comparison as tables: scores, agreement where there is more than one network, classes of each."""
    found = [_scores(comparison)]
    if len(comparison.evaluations) > 1:
        found.append(_agreement(comparison.evaluations))
    return found + [_classes(evaluation) for evaluation in comparison.evaluations]


def title(comparison: Comparison) -> str:
    return f"{comparison.split}, {comparison.evaluations[0].measured.faces:,} faces"


def as_markdown(comparison: Comparison, pictures: Sequence[tuple[str, str]]) -> str:
    """The comparison for reading; ``pictures`` are (caption, file name)."""
    parts = [f"# {title(comparison)}", f"Data: {comparison.data}. Machine: {comparison.machine}, one thread."]
    parts += [f"## {table.heading}\n\n{markdown_table(table)}" for table in tables(comparison)]
    parts += [f"![{caption}]({name})" for caption, name in pictures]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """A table in Markdown: first column to the left, figures to the right."""
    rule = ("---", *["---:"] * (len(table.columns) - 1))
    return "\n".join("| " + " | ".join(row) + " |" for row in (table.columns, rule, *table.rows))


def as_json(comparison: Comparison) -> str:
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
    return json.dumps(head | {"emotions": EMOTIONS, "models": models}, indent=2) + "\n"


def confusion_csv(counts: NDArray[np.int64]) -> str:
    """Counts as CSV: a row a true class, a column a predicted one."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("true \\ predicted", *EMOTIONS))
    writer.writerows((emotion, *counts[row].tolist()) for row, emotion in enumerate(EMOTIONS))
    return stream.getvalue()


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
                f"{latency:.3f}" if latency else "",
                f"{latency / reference:.2f}" if latency and reference else "",
            )
        )
    columns = (
        "network", "kind", "top-1", "macro-F1", "ECE", "log loss", "agrees with the first", "kB", "ms a face", "ratio",
    )  # fmt: skip
    return Table("Scores", columns, tuple(rows))


def _agreement(evaluations: Sequence[Evaluation]) -> Table:
    """How often each two name the same expression."""
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
    return Table(f"Classes of {evaluation.name}", ("expression", "faces", "precision", "recall", "F1"), rows)


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
