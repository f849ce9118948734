"""Metrics of predictions: pure functions of probabilities and true labels.

Definitions are those of scikit-learn where it has them (`f1_score(average="macro")`, `precision_score` with
``zero_division=0``, `confusion_matrix`), so that figures can be compared with other people's tables.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.emotions import EMOTIONS

CLASSES = len(EMOTIONS)
ECE_BINS = 15  # as in Guo et al. 2017, "On Calibration of Modern Neural Networks", and most tables since
LEAST_PROBABILITY = 1e-12  # keeps the log loss of an answer of exactly 0 finite

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Reliability diagram: accuracy by confidence, one entry per bin of equal width from 0 to 1."""

    faces: NDArray[np.int64]  # (bins,) how many answers fall into the bin
    confidence: NDArray[np.float64]  # (bins,) their mean confidence, 0 for an empty bin
    accuracy: NDArray[np.float64]  # (bins,) the part of them that is right, 0 for an empty bin

    @property
    def ece(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence| over the bins, weighted by their faces."""
        return float(np.abs(self.accuracy - self.confidence) @ self.faces / max(1, self.faces.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The figures of one model on one set of faces. Per-class arrays are (7,), in the order of `EMOTIONS`."""

    faces: int
    top1: float
    macro_f1: float
    log_loss: float  # mean of -ln(probability of the true class)
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    confusion: NDArray[np.int64]  # (7, 7): row is the true class, column the predicted one
    reliability: Reliability

    @property
    def ece(self) -> float:
        return self.reliability.ece


def measure(probabilities: Floats, truth: Labels) -> Measured:
    """All figures for ``probabilities`` (n, 7), rows summing to 1, and ``truth`` (n,), 0 to 6; n at least 1.

    Raises ValueError where the two do not belong together.
    """
    if probabilities.shape != (len(truth), CLASSES) or not len(truth):
        raise ValueError(f"probabilities {probabilities.shape} and {len(truth)} labels do not belong together")
    counts = confusion(truth, probabilities.argmax(axis=1))
    precision, recall, f1 = per_class(counts)
    return Measured(
        faces=len(truth),
        top1=float(np.trace(counts) / counts.sum()),
        macro_f1=macro_f1(counts),
        log_loss=log_loss(probabilities, truth),
        precision=precision,
        recall=recall,
        f1=f1,
        confusion=counts,
        reliability=reliability(probabilities, truth),
    )


def confusion(truth: Labels, predicted: Labels) -> NDArray[np.int64]:
    """(7, 7) counts: row is the true class, column the predicted one."""
    return np.bincount(truth * CLASSES + predicted, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def per_class(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1, each (7,), of a confusion matrix; 0 where there is nothing to divide by."""
    right = np.diag(counts).astype(np.float64)
    predicted, there = counts.sum(axis=0), counts.sum(axis=1)
    return (
        right / np.maximum(predicted, 1),
        right / np.maximum(there, 1),
        2 * right / np.maximum(predicted + there, 1),
    )


def macro_f1(counts: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that are there or were predicted; a class that is neither is left out."""
    seen = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    return float(per_class(counts)[2][seen].mean())


def reliability(probabilities: Floats, truth: Labels, bins: int = ECE_BINS) -> Reliability:
    """Confidence against accuracy; an answer on the border of two bins belongs to the lower one."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    faces = np.bincount(index, minlength=bins)
    some = np.maximum(faces, 1)
    return Reliability(
        faces=faces,
        confidence=np.bincount(index, weights=confidence, minlength=bins) / some,
        accuracy=np.bincount(index, weights=right, minlength=bins) / some,
    )


def log_loss(probabilities: Floats, truth: Labels) -> float:
    """Mean of -ln(probability of the true class): a proper score, lowest for calibrated probabilities."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], LEAST_PROBABILITY)).mean())


def loss_of_score(one: Floats, reference: Floats, truth: Labels) -> tuple[float, float]:
    """Return the loss of top-1 score of ``one`` (n, 7) against ``reference`` (n, 7), and its standard error.

    Both are fractions of the faces. The error is that of the differences face by face.
    """
    right, expected = (answers.argmax(axis=1) == truth for answers in (one, reference))
    differences = expected.astype(np.float64) - right
    return float(differences.mean()), float(differences.std() / np.sqrt(len(truth)))


def agreement(one: Floats, other: Floats) -> float:
    """The part of the faces, 0 to 1, for which two models (n, 7) name the same expression."""
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
