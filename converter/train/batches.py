"""Training batches: order of the faces, targets and augmentation, prepared ahead by threads.

Everything is drawn from (seed, epoch, batch), so a run that was interrupted shows, after it is resumed, exactly
what it would have shown.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from converter.data.augment import Augment, augmented
from converter.data.faces import FERPLUS, Faces
from fer_edge.emotions import EMOTIONS, canonical

T = TypeVar("T")
Balance = Literal["none", "weights", "sampling"]
Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]  # inputs, targets, weights

MEAN = STD = 127.5  # a network's input is (pixel - MEAN) / STD, from -1 to 1


def inputs(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 48, 48) uint8 to a network's input: (n, 48, 48, 1) float32 from -1 to 1."""
    return ((images.astype(np.float32) - MEAN) / STD)[..., np.newaxis]


def targets(
    faces: Faces,
    votes_weight: float,
    smoothing: float,
    taught: NDArray[np.float32] | None = None,
    taught_weight: float = 0.0,
) -> NDArray[np.float32]:
    """(n, 7) float32, each row sums to 1: the label, mixed with the annotators' votes and a teacher, and smoothed.

    ``votes_weight`` (0 to 1) is the share of the FER+ votes on our seven expressions; a face without such votes keeps
    its label alone. ``taught_weight`` (0 to 1) is then the share of the teachers' probabilities, ``taught`` (n, 7).
    ``smoothing`` (0 to 1) spreads that much evenly over the classes (Szegedy et al. 2016).
    """
    truth = np.eye(len(EMOTIONS), dtype=np.float32)[faces.labels]
    if faces.votes is not None and votes_weight:
        columns = {canonical(name): column for column, name in enumerate(FERPLUS)}
        votes = faces.votes[:, [columns[name] for name in EMOTIONS]].astype(np.float32)
        total = votes.sum(axis=1, keepdims=True)
        voted = np.divide(votes, total, out=truth.copy(), where=total > 0)
        truth = (1 - votes_weight) * truth + votes_weight * voted
    if taught is not None:
        truth = (1 - taught_weight) * truth + taught_weight * taught
    return ((1 - smoothing) * truth + smoothing / len(EMOTIONS)).astype(np.float32)


def class_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """(7,) float32: each class's weight, inverse to its count and 1 on average over the faces; 0 for an empty class."""
    present = counts > 0
    weights = np.zeros(len(counts), np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """All batches of a run. The last faces of an epoch that do not fill a batch are left out of it."""

    faces: Faces
    targets: NDArray[np.float32]
    batch: int
    seed: int
    augment: Augment
    balance: Balance = "none"

    @property
    def steps(self) -> int:
        """Batches an epoch, at least one."""
        return max(1, len(self.faces) // self.batch)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The faces of one epoch in the order they are shown: each once, or balanced over the classes."""
        rng = np.random.default_rng([self.seed, epoch])
        if self.balance == "sampling":
            chance = class_weights(self.faces.counts())[self.faces.labels].astype(np.float64)
            return rng.choice(len(self.faces), len(self.faces), p=chance / chance.sum())
        return rng.permutation(len(self.faces))

    def made(self, epoch: int, step: int, order: NDArray[np.int64]) -> Batch:
        """One batch: inputs (b, 48, 48, 1), targets (b, 7), weights (b,), all float32."""
        chosen = order[step * self.batch : (step + 1) * self.batch]
        rng = np.random.default_rng([self.seed, epoch, step])
        images, truth = augmented(self.faces.images[chosen], self.targets[chosen], self.augment, rng)
        weights = np.ones(len(chosen), np.float32)
        if self.balance == "weights":
            weights = class_weights(self.faces.counts())[self.faces.labels[chosen]]
        return inputs(images), truth, weights

    def stream(self, first: int, last: int, workers: int = 1) -> Iterator[Batch]:
        """Give the batches of the epochs ``first`` to before ``last``, prepared ahead by ``workers`` threads."""

        def calls() -> Iterator[Callable[[], Batch]]:
            for epoch in range(first, last):
                order = self.order(epoch)
                yield from (partial(self.made, epoch, step, order) for step in range(self.steps))

        return prefetched(calls(), workers)


def prefetched(calls: Iterable[Callable[[], T]], workers: int) -> Iterator[T]:
    """Give the results of ``calls`` in their order, computed ahead of their use by ``workers`` threads."""
    with ThreadPoolExecutor(workers, "batches") as pool:
        ahead: deque[Future[T]] = deque()
        for call in calls:
            ahead.append(pool.submit(call))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
