"""Evaluation of networks on the same labelled faces, by the edge's interpreter or by Keras."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.networks.inference import Source, infer
from converter.networks.layout import Scaling
from converter.networks.metrics import Measured, measure
from converter.networks.tflite import run_tflite
from converter.networks.worker import Report
from fer_edge.vision.classifier import Classifier, calibrated
from fer_edge.vision.preprocess import Grey, resized

ROUNDS = 15  # every network is timed in every round, so that what else the machine does meets all alike
CALLS = 20  # a round; the first rounds also warm caches, which a median forgets
MILLISECONDS = 1e3
NO_LAYOUT = "none: untrained"  # in the card of an untrained network


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One network's answers and what they are worth."""

    name: str
    path: Path
    kind: str  # such as `int8`, or which Keras
    size_bytes: int
    probabilities: NDArray[np.floating]  # (n, 7) in the order of `EMOTIONS`, as its user would get them
    measured: Measured
    classifier: Classifier | None  # None for a Keras network, which the edge does not run


def evaluate_tflite(path: Path, classifier: Classifier, faces: Faces) -> Evaluation:
    """Evaluate a TFLite file as the edge runs it; ``classifier`` was made from ``path`` and its card."""
    card = classifier.card
    probabilities = calibrated(run_tflite(classifier, faces.images), card.output, card.temperature)
    kind = str(card.training.get("kind") or classifier.interpreter.input.dtype)
    kind += ", untrained" if card.training.get("layout") == NO_LAYOUT else ""
    measured = measure(probabilities, faces.labels)
    return Evaluation(path.stem, path, kind, _size(path), probabilities, measured, classifier)


def evaluate_keras(
    path: Path,
    faces: Faces,
    scaling: Scaling | None,
    labels: tuple[str, ...] | None,
    report: Report,
) -> Evaluation:
    """Evaluate a Keras network in a process of its own; its layout is inferred where it is not given."""
    inference = infer(Source(path.stem, path, scaling=scaling, labels=labels), faces, report)
    kind = inference.description.partition(",")[0]
    probabilities = inference.probabilities()
    return Evaluation(path.stem, path, kind, _size(path), probabilities, measure(probabilities, faces.labels), None)


def latencies_ms(classifiers: Sequence[Classifier], face: Grey) -> list[float]:
    """Median milliseconds on one thread from pixels to calibrated scores, for each of ``classifiers``.

    ``face`` (h, w) is brought to each network's size before the clock starts.
    """
    fed = [resized(face, classifier.card.input.height, classifier.card.input.width) for classifier in classifiers]
    taken: list[list[float]] = [[] for _ in classifiers]
    for _ in range(ROUNDS):
        for classifier, pixels, times in zip(classifiers, fed, taken, strict=True):
            for _ in range(CALLS):
                start = time.perf_counter()
                classifier.scores(pixels)
                times.append(time.perf_counter() - start)
    return [float(np.median(times)) * MILLISECONDS for times in taken]


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
