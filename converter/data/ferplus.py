"""FER+ votes of fer2013new.csv, joined to faces by their row in fer2013.csv: the files have nothing else in common.

So a table that lacks a row gives every face below it the votes of another. Nothing in the files shows that but their
lengths, and how often labels and votes agree.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data import statistics as findings
from converter.data.csv_table import records, usage_of
from converter.data.faces import FERPLUS, USAGES, DataError, Faces, Mistakes

# Share of the faces with a FER+ majority that agrees with the label. Measured on the 30,541 of Training and PublicTest:
# 65 % with their own votes, 17 to 18 % with those of a neighbour 1 to 1,000 rows away. Between the two, for classes
# differ (fear 14 %, happy 93 %) and a user's choice of faces may have more of one.
LEAST_AGREED = 0.4
ENOUGH = 200  # faces with a majority: 200 draws of so many had 54 % and more; with votes of others 24 % and less


def with_votes(faces: Faces, path: Path, *, counted: bool) -> Faces:
    """The faces with the votes of ``path``.

    Where their rows are ``counted``, as those of a table are, and not identified by a name, the table must be complete.
    Raises DataError where the faces do not know their row, or the two do not belong together row by row.
    """
    if (faces.rows < 0).any():
        raise DataError("these faces do not carry their row in fer2013.csv, so FER+ votes cannot be joined")
    votes, usages = [], []
    mistakes = Mistakes(path.name)
    for line, record in records(path, ("usage", *(name.lower() for name in FERPLUS))):
        try:
            votes.append([int(record[name.lower()]) for name in FERPLUS])
            usages.append(usage_of(record["usage"]))
        except ValueError:
            mistakes.add(line, "usage must be one of FER-2013's and votes whole numbers")
    mistakes.raise_if_any()
    if faces.rows.max() >= len(votes):
        raise DataError(f"{path}: {len(votes):,} rows, but a face is of row {faces.rows.max():,}; not the whole file")
    if counted:
        _check_whole(faces, np.array(usages), path)
    other = np.flatnonzero(np.array(usages)[faces.rows] != faces.usages)
    if len(other):
        row = faces.rows[other[0]]
        raise DataError(f"{path}: row {row} is {usages[row]}, the face {faces.usages[other[0]]}; not the same order")
    joined = Faces(faces.images, faces.labels, faces.usages, faces.rows, np.array(votes, np.int64)[faces.rows])
    _check_agreement(joined, path)
    return joined


def _check_whole(faces: Faces, usages: NDArray[np.str_], path: Path) -> None:
    """Raise DataError where the table has other numbers of rows than the votes; a usage may be left out altogether."""
    for usage in USAGES:
        here, there = int((faces.usages == usage).sum()), int((usages == usage).sum())
        if here and here != there:
            raise DataError(
                f"{path}: has votes for {there:,} {usage} faces, the table has {here:,}: not the whole file, so faces "
                "would get the votes of others; give fer2013.csv as it came, or leave --votes out"
            )


def _check_agreement(faces: Faces, path: Path) -> None:
    """Raise DataError where the labels and the votes plainly belong to different faces."""
    table = findings.agreement(faces)
    assert table is not None
    total = table.sum(axis=1)
    agreed = float(np.nansum(findings.agreed(table) * total) / max(1, total.sum()))
    if total.sum() >= ENOUGH and agreed < LEAST_AGREED:
        raise DataError(
            f"{path}: only {agreed:.0%} of the labels agree with the majority of the FER+ annotators, in "
            "FER-2013 it is 65%: these votes are of other faces; give fer2013.csv and fer2013new.csv as they came, or "
            "leave --votes out"
        )
