"""What a training run has measured so far, one row an epoch."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from converter.outputs import replacing
from fer_edge.errors import UserError


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
    with replacing(path) as beside:
        beside.write_text(text.getvalue(), encoding="utf-8")
