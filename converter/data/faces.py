"""Labelled faces in memory, and the errors of the files that they are read from."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from fer_edge.emotions import EMOTIONS, SYNONYMS, canonical
from fer_edge.errors import UserError

SIZE_PX = 48  # width and height of a FER-2013 face
PUBLIC = "PublicTest"  # what everything here chooses and measures on
USAGES = ("Training", PUBLIC, "PrivateTest")

# FER+ counts ten votes a face over ten columns, in its own order. Seven are ours; contempt is an eighth expression,
# unknown and NF (no face) are no expression.
FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
SHOWN = 10  # lines; what follows in a broken file is mostly the same again


class DataError(UserError):
    """Faces cannot be read: a file or folder is missing, broken or not what it should be."""


def did_you_mean(name: str) -> str:
    """Return `; did you mean happy?` for a name that resembles one of an expression, otherwise nothing."""
    near = get_close_matches(name.strip().lower(), (*EMOTIONS, *SYNONYMS), n=1, cutoff=0.7)
    return f"; did you mean {canonical(near[0])}?" if near else ""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces with their labels, row for row."""

    images: NDArray[np.uint8]  # (n, 48, 48) grey
    labels: NDArray[np.int64]  # (n,), indices into labels.EMOTIONS
    usages: NDArray[np.str_]  # (n,), each one of USAGES
    rows: NDArray[np.int64]  # (n,), row of fer2013.csv counted from 0, or the reader's own running number
    votes: NDArray[np.int64] | None = None  # (n, 10) FER+ votes in the order of FERPLUS; all 0 where there are none

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> "Faces":
        """The faces that ``mask`` chooses: (n,) bool, or indices in the order wanted."""
        votes = None if self.votes is None else self.votes[mask]
        return Faces(self.images[mask], self.labels[mask], self.usages[mask], self.rows[mask], votes)

    def split(self, usage: str) -> "Faces":
        """The faces of one usage; may be empty."""
        return self.chosen(self.usages == usage)

    def counts(self) -> NDArray[np.int64]:
        """(7,) faces of each class, in the order of labels.EMOTIONS."""
        return np.bincount(self.labels, minlength=len(EMOTIONS))


class Mistakes:
    """The bad rows of one file. Not thread-safe; the reader owns it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[str] = []
        self._count = 0

    def add(self, line: int | None, what: str) -> None:
        """Note one mistake in ``line`` (counted from 1 as editors do), or in the file as a whole."""
        self._count += 1
        if len(self._lines) < SHOWN:
            self._lines.append(f"{self._name}: {what}" if line is None else f"{self._name}:{line}: {what}")

    def raise_if_any(self) -> None:
        """Raise DataError with one line a mistake and a count of those beyond the first ten; silent without any."""
        if not self._count:
            return
        more = self._count - len(self._lines)
        raise DataError("\n".join([*self._lines, *([f"{self._name}: and {more:,} more bad rows"] if more else [])]))
