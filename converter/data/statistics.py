"""Statistics of a dataset: counts, duplicates, agreement of label and votes. Pure."""

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.data.faces import FERPLUS, USAGES, Faces
from fer_edge.emotions import EMOTIONS, canonical

# Two pictures show the same where their pixels correlate so highly, brightness and contrast taken out. Looked at on
# FER-2013: pairs drawn from 0.93 upwards were all the same photo, cropped or saved differently; at 0.90 two women in
# the same light come in.
NEAR = 0.93
COARSE_PX = 12  # first all pairs are compared at this size, 16 times cheaper than at 48
COARSE_NEAR = 0.95  # a crop that differs by a pixel costs less correlation here than at full size
BLOCK = 2048  # faces compared with all others at a time: 2048 x 32,000 floats are 260 MB


@dataclass(frozen=True, slots=True)
class Pair:
    """Two faces, by index, that show the same picture."""

    first: int
    second: int
    correlation: float  # 1 for the same pixels
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pairs of duplicates within a split or across two, and those of them whose labels differ."""

    splits: tuple[str, str]
    pairs: int
    disagree: int


def counts(faces: Faces) -> dict[str, NDArray[np.int64]]:
    """(7,) faces of each class, for each usage that has any."""
    return {usage: split.counts() for usage in USAGES if len(split := faces.split(usage))}


def imbalance(of_classes: NDArray[np.int64]) -> float:
    """The largest class over the smallest one; infinite where a class is empty."""
    return float(of_classes.max() / of_classes.min()) if of_classes.min() else float("inf")


def blank(faces: Faces) -> NDArray[np.int64]:
    """Indices of pictures of one single grey: they carry no information."""
    flat = faces.images.reshape(len(faces), -1)
    return np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))


def mean_faces(faces: Faces) -> NDArray[np.float32]:
    """(7, 48, 48) float32, 0 to 255: the mean picture of each class; NaN for an empty class."""
    means = np.full((len(EMOTIONS), *faces.images.shape[1:]), np.nan, np.float32)
    for label in np.unique(faces.labels):
        means[label] = faces.images[faces.labels == label].mean(axis=0, dtype=np.float64)
    return means


def exact_duplicates(faces: Faces) -> list[NDArray[np.int64]]:
    """Groups of indices of faces with the very same pixels, blank ones left out; the largest group first."""
    groups: dict[bytes, list[int]] = {}
    skipped = set(blank(faces).tolist())
    for index, image in enumerate(faces.images):
        if index not in skipped:
            groups.setdefault(image.tobytes(), []).append(index)
    return sorted((np.array(group) for group in groups.values() if len(group) > 1), key=len, reverse=True)


def near_duplicates(faces: Faces) -> list[Pair]:
    """Pairs of different pixels that show the same picture, perhaps mirrored; the most alike first.

    All pairs are compared: 4 s for 32,000 faces on one core.
    """
    pixels = _normalised(faces.images)
    coarse = _normalised(np.stack([_reduced(image) for image in faces.images]))
    turned = coarse.reshape(-1, COARSE_PX, COARSE_PX)[:, :, ::-1].reshape(len(coarse), -1)
    pairs = []
    for mirrored, others in ((False, coarse), (True, turned)):
        for first, second in _candidates(coarse, others):
            image = pixels[second].reshape(faces.images.shape[1:])
            correlation = float(pixels[first] @ (image[:, ::-1] if mirrored else image).ravel())
            same = not mirrored and np.array_equal(faces.images[first], faces.images[second])
            if correlation >= NEAR and not same:
                pairs.append(Pair(first, second, correlation, mirrored))
    return sorted(pairs, key=lambda pair: pair.correlation, reverse=True)


def exact_pairs(groups: list[NDArray[np.int64]]) -> list[Pair]:
    """Every two faces of a group: how many are in two splits must not hang on which of them is read first."""
    return [Pair(int(a), int(b), 1.0, mirrored=False) for group in groups for a, b in combinations(group, 2)]


def overlaps(faces: Faces, pairs: list[Pair]) -> list[Overlap]:
    """``pairs`` counted by the splits of their two faces, in the order of USAGES; those without pairs are left out."""
    found = []
    for index, usage in enumerate(USAGES):
        for other in USAGES[index:]:
            of = [pair for pair in pairs if {faces.usages[pair.first], faces.usages[pair.second]} == {usage, other}]
            disagree = sum(faces.labels[pair.first] != faces.labels[pair.second] for pair in of)
            if of:
                found.append(Overlap((usage, other), len(of), int(disagree)))
    return found


def agreement(faces: Faces) -> NDArray[np.int64] | None:
    """(7, 10) faces of each label by the majority of the FER+ annotators, in the order of FERPLUS; None without votes.

    Faces without votes, and those where two answers share the lead, are left out: they have no majority.
    """
    if faces.votes is None:
        return None
    leading = faces.votes == faces.votes.max(axis=1, keepdims=True)
    clear = (leading.sum(axis=1) == 1) & (faces.votes.sum(axis=1) > 0)
    table = np.zeros((len(EMOTIONS), len(FERPLUS)), np.int64)
    np.add.at(table, (faces.labels[clear], faces.votes[clear].argmax(axis=1)), 1)
    return table


def agreed(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """(7,) share of each label's faces with a majority that agrees with the label; NaN for an empty class."""
    columns = {canonical(name): column for column, name in enumerate(FERPLUS)}
    same = np.array([table[label, columns[name]] for label, name in enumerate(EMOTIONS)], np.float64)
    total = table.sum(axis=1)
    return np.asarray(np.divide(same, total, out=np.full(len(EMOTIONS), np.nan), where=total > 0), np.float64)


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(image, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA), np.float32)


def _normalised(images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, pixels) with mean 0 and length 1, so that a product is a correlation; zeros for a blank picture."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.divide(flat, length, out=np.zeros_like(flat), where=length > 0), np.float32)


def _candidates(faces: NDArray[np.float32], others: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, where face i and other j correlate highly at the coarse size."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(faces), BLOCK):
        near = faces[start : start + BLOCK] @ others[start:].T >= COARSE_NEAR
        first, second = np.nonzero(near)
        found += [(int(i + start), int(j + start)) for i, j in zip(first, second, strict=True) if i < j]
    return found
