"""Layout of a network: pixel scaling and class order, which no tensor shape shows.

Both are inferred from its outputs for labelled faces. Every usual scaling is tried with every usual order of the
classes; the pair whose outputs fit the labels best is taken if its lead is significant. A wrong scaling costs 9 to 21
points of accuracy without any error message, so an ambiguous layout is an error.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.networks.calibration import fit_temperature, softmax
from converter.networks.metrics import Floats, Labels, confusion
from fer_edge.emotions import EMOTIONS, canonical
from fer_edge.errors import UserError
from fer_edge.vision.classifier import LEAST_PROBABILITY

SAMPLE_A_CLASS = 100  # faces of each class that are used: 656 of PublicTest, whose disgust has 56
CLEAR_Z = 3.0  # standard errors by which the winner must lead, face by face; chance does that once in 740 times
LEAST_ACCURACY = 0.30  # twice what chance gives with seven classes: below it the layout cannot be inferred
UNUSUAL_LEAD = 0.05  # so much better must an order be that is not in the list, before it is suggested

OutputKind = Literal["logits", "probabilities"]


class Scaling(NamedTuple):
    """network input = (pixel - mean) / std, pixel 0 to 255."""

    mean: float
    std: float

    def __str__(self) -> str:
        return SCALING_NAMES.get(self) or f"mean {self.mean:g}, std {self.std:g}"


RANGES = {
    "-1,1": Scaling(127.5, 127.5),
    "0,1": Scaling(0.0, 255.0),
    "0,255": Scaling(0.0, 1.0),
}
STANDARDISED = Scaling(129.4, 64.9)  # mean and deviation of all pixels of FER-2013's Training split, measured
SCALINGS = (*RANGES.values(), STANDARDISED)
SCALING_NAMES = {scaling: f"[{name.replace(',', ', ')}]" for name, scaling in RANGES.items()}

ORDERS: dict[str, tuple[str, ...]] = {
    "fer2013": EMOTIONS,
    "alphabetical": ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),  # Keras' flow_from_directory
    "ferplus": ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"),
    "affectnet": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"),
    "rafdb": ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"),
    "ckplus": ("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise"),
}
ORDER_NAMES = {labels: name for name, labels in ORDERS.items()}


class Layout(NamedTuple):
    """Pixel scaling and class order of a network."""

    scaling: Scaling
    labels: tuple[str, ...]  # the network's own order

    def __str__(self) -> str:
        return f"{self.scaling} in {ORDER_NAMES.get(self.labels, ', '.join(self.labels))} order"


@dataclass(frozen=True, slots=True)
class Finding:
    """The layout that won, and by how much."""

    layout: Layout
    accuracy: float  # 0 to 1 on the sample
    runner_up: Layout
    runner_up_accuracy: float
    faces: int  # size of the sample

    def __str__(self) -> str:
        return (
            f"{self.layout} reads {self.accuracy:.1%} of {self.faces} labelled faces right, "
            f"next best {self.runner_up} {self.runner_up_accuracy:.1%}"
        )


class _Trial(NamedTuple):
    layout: Layout
    accuracy: float
    fit: NDArray[np.float64]  # (n,) log likelihood of each face's label after the best temperature
    raw: NDArray[np.float64]  # (n,) the same without a temperature


def choose_layout(
    infer: Callable[[Scaling, NDArray[np.int64]], Floats],
    truth: Labels,
    scaling: Scaling | None,
    labels: tuple[str, ...] | None,
) -> tuple[Layout, str]:
    """The layout, and a sentence on how it was found, empty where both ``scaling`` and ``labels`` were given.

    ``infer`` gives the network's outputs (m, 7) for the faces of some indices (m,) under a scaling; ``truth`` (n,) are
    the labels of all faces. Raises UserError as `find_layout` does.
    """
    scalings = (scaling,) if scaling else SCALINGS
    orders = (labels,) if labels else tuple(ORDERS.values())
    if len(scalings) == len(orders) == 1:
        return Layout(scalings[0], orders[0]), ""
    sample = np.concatenate([np.flatnonzero(truth == k)[:SAMPLE_A_CLASS] for k in range(len(EMOTIONS))])
    finding = find_layout({scaling: infer(scaling, sample) for scaling in scalings}, truth[sample], orders)
    return finding.layout, str(finding)


def find_layout(answers: Mapping[Scaling, Floats], truth: Labels, orders: Collection[tuple[str, ...]]) -> Finding:
    """The clear winner among the scalings in ``answers`` and the class ``orders``.

    ``answers`` maps each scaling that was tried to the network's outputs (n, 7) for the same n faces, probabilities or
    logits; ``truth`` (n,) are their labels in the order of `EMOTIONS`. At least two pairs must be there to compare.
    Raises UserError, naming the option to give, where the answers are too bad or two pairs too close.
    """
    trials = sorted(
        (_tried(Layout(scaling, labels), outputs, truth) for scaling, outputs in answers.items() for labels in orders),
        key=lambda trial: float(trial.fit.mean()),
        reverse=True,
    )
    best, second = trials[0], trials[1]
    _suggest_unusual(best, answers, truth)
    if best.accuracy < LEAST_ACCURACY:
        raise UserError(
            f"how pixels are scaled and classes ordered cannot be found: the best guess ({best.layout}) reads "
            f"{best.accuracy:.0%} of {len(truth)} faces right; give --range and --labels"
        )
    # A network without biases only scales its logits with its input; a temperature hides that, the raw answers do not.
    if _lead(best.fit, second.fit) < CLEAR_Z:
        best, second = sorted((best, second), key=lambda trial: float(trial.raw.mean()), reverse=True)
        if _lead(best.raw, second.raw) < CLEAR_Z:
            raise UserError(
                f"{best.layout} ({best.accuracy:.1%} right) and {second.layout} ({second.accuracy:.1%}) are too close "
                f"to tell on {len(truth)} faces; give {_option(best.layout, second.layout)}"
            )
    return Finding(best.layout, best.accuracy, second.layout, second.accuracy, len(truth))


def parse_labels(text: str) -> tuple[str, ...]:
    """The class order that ``--labels`` names: a name in `ORDERS`, or seven expressions with commas between.

    Raises UserError unless each of the seven is there exactly once.
    """
    if text in ORDERS:
        return ORDERS[text]
    names = [canonical(part) for part in text.split(",")]
    if sorted(name or "" for name in names) != sorted(EMOTIONS):
        raise UserError(
            f"--labels must be one of {', '.join(ORDERS)}, or name each of {', '.join(EMOTIONS)} exactly once in the "
            f"network's own order, with commas between; got {text!r}"
        )
    return tuple(str(name) for name in names)


def output_kind(outputs: Floats) -> OutputKind:
    """`probabilities` where every row of ``outputs`` (n, 7) lies in 0 to 1 and sums to 1, `logits` otherwise.

    An 8-bit output is rounded by up to 1/512, so a sum of seven may miss 1 by seven times that.
    """
    slack = 2 * len(EMOTIONS) / 512
    sums = outputs.sum(axis=1)
    summed = outputs.min() >= 0 and outputs.max() <= 1 and np.abs(sums - 1).max() < slack
    return "probabilities" if summed else "logits"


def as_logits(outputs: Floats, kind: OutputKind) -> NDArray[np.float64]:
    """``outputs`` (n, 7) as logits: the logarithm where they are probabilities, unchanged otherwise."""
    wide = outputs.astype(np.float64)
    return np.log(np.maximum(wide, LEAST_PROBABILITY)) if kind == "probabilities" else wide


def _tried(layout: Layout, outputs: Floats, truth: Labels) -> _Trial:
    """Fit of ``outputs``, in the layout's class order, to the labels."""
    columns = [layout.labels.index(emotion) for emotion in EMOTIONS]
    logits = as_logits(outputs, output_kind(outputs))[:, columns]
    faces = np.arange(len(truth))

    def likelihood(temperature: float) -> NDArray[np.float64]:
        return np.asarray(np.log(np.maximum(softmax(logits, temperature)[faces, truth], LEAST_PROBABILITY)))

    accuracy = float((logits.argmax(axis=1) == truth).mean())
    return _Trial(layout, accuracy, likelihood(fit_temperature(logits, truth)), likelihood(1.0))


def _lead(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """By how many standard errors ``one`` (n,) is above ``other`` (n,), face by face; 0 where they are the same."""
    difference = one - other
    error = float(difference.std()) / np.sqrt(len(difference))
    return float(difference.mean()) / error if error > 0 else 0.0


def _suggest_unusual(best: _Trial, answers: Mapping[Scaling, Floats], truth: Labels) -> None:
    """Raise UserError where an order that was not tried fits the labels much better: a person must confirm it."""
    accuracy, scaling, labels = max(_best_order(outputs, truth, scaling) for scaling, outputs in answers.items())
    if accuracy > max(best.accuracy + UNUSUAL_LEAD, LEAST_ACCURACY):
        raise UserError(
            f"no usual class order fits (the best, {best.layout}, reads {best.accuracy:.0%} of {len(truth)} faces "
            f"right); with {scaling} another reads {accuracy:.0%}: confirm it with --labels {','.join(labels)}"
        )


def _best_order(outputs: Floats, truth: Labels, scaling: Scaling) -> tuple[float, Scaling, tuple[str, ...]]:
    """Return the most accurate of all 5,040 class orders, and its accuracy."""
    hits = confusion(truth, outputs.argmax(axis=1)).T  # (7, 7): output, true class
    orders = np.array(list(permutations(range(len(EMOTIONS)))))
    right = hits[np.arange(len(EMOTIONS)), orders].sum(axis=1)
    labels = tuple(EMOTIONS[k] for k in orders[right.argmax()])
    return float(right.max() / len(truth)), scaling, labels


def _option(one: Layout, other: Layout) -> str:
    """The option that would decide between two layouts."""
    options = (["--range"] if one.scaling != other.scaling else []) + (
        ["--labels"] if one.labels != other.labels else []
    )
    return " and ".join(options)
