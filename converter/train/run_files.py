"""Which files a training run reads and where it writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The run's own folder, and the networks that it begins with and learns from."""

    folder: Path
    start: Path | None = None
    """Weights to begin with, .keras, .weights.h5 or .tflite, None for fresh ones."""
    teachers: Sequence[Path] = ()
    """Networks whose answers are part of the targets, .keras, or .tflite with its card."""
