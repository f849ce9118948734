"""FER-2013 as a CSV table: Kaggle's fer2013.csv and train.csv, icml_face_data.csv.

A face is a row: `emotion` 0 to 6 or a name, `pixels` as 2,304 numbers between blanks, and mostly `Usage`. Names of
columns are taken without regard to case and blanks, since icml_face_data.csv writes ` Usage` and ` pixels`. Commas,
semicolons or tabs separate the columns.
"""

import codecs
import csv
import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import SIZE_PX, USAGES, DataError, Faces, Mistakes, did_you_mean
from fer_edge.emotions import EMOTIONS, canonical
from fer_edge.untrusted import open_regular

PIXELS = SIZE_PX * SIZE_PX
WHITE = 255
MAX_LINE = 1 << 17  # characters: as many as Python's csv takes in one field; a face has at most 9,216
SEPARATORS = ",;\t"
MAX_START = 256  # bytes in which NOT_TABLES show
NOT_TABLES = {  # by how they begin
    b"version https://git-lfs": "is a Git LFS pointer and not the table itself; fetch it with `git lfs pull`",
    b"<": "is a web page and not the table; download the file again, with the login that the page asks for",
}
TRAINING, PUBLIC, PRIVATE = USAGES
TEST = "test"  # PublicTest where a table has none, as with folders
OTHER_USAGES = {"train": TRAINING, "val": PUBLIC, "valid": PUBLIC, "validation": PUBLIC, TEST: TEST}


def read_table(path: Path) -> Faces:
    """All faces of a CSV file; without a Usage column all of them are Training.

    Raises DataError that names the bad rows by line, for a file that is not such a table, or one without rows.
    """
    images, labels, usages = [], [], []
    mistakes = Mistakes(path.name)
    line = bad = 0
    for line, record in records(path, ("emotion", "pixels")):
        try:
            label, usage, pixels = _label(record["emotion"]), usage_of(record.get("usage")), _pixels(record["pixels"])
        except ValueError as error:
            mistakes.add(line, str(error))
            bad = line
            continue
        images.append(pixels)
        labels.append(label)
        usages.append(usage)
    if bad and bad == line and not _ends_with_a_line(path):
        mistakes.add(None, "ends within its last row, so it is cut off; copy or download it again")
    mistakes.raise_if_any()
    if not images:
        raise DataError(f"{path}: no rows under the header")
    test = PRIVATE if PUBLIC in usages else PUBLIC
    named = np.array([test if usage == TEST else usage for usage in usages])
    return Faces(np.stack(images), np.array(labels, np.int64), named, np.arange(len(labels), dtype=np.int64))


def records(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line in the file; keys in lower case, values for missing fields are empty."""
    try:
        with table_lines(path) as lines:
            first = next(lines, "")
            separator = max(SEPARATORS, key=first.count)
            header = [name.strip().lower() for name in next(csv.reader([first], delimiter=separator), [])]
            reader = csv.reader(lines, delimiter=separator)
            missing = [name for name in needed if name not in header]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; its first line is the header of the columns")
            for row in reader:
                if row:
                    yield reader.line_num + 1, dict(zip(header, row + [""] * (len(header) - len(row)), strict=False))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV text file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


@contextmanager
def table_lines(path: Path) -> Iterator[Iterator[str]]:
    """Open a CSV file, a regular one, and give its lines; the iterator raises csv.Error at one beyond MAX_LINE.

    Raises DataError for what takes the place of a table: a web page, a pointer of Git LFS.
    """
    with open_regular(path) as stream:
        start = stream.read(MAX_START).removeprefix(codecs.BOM_UTF8).lstrip().lower()
        stream.seek(0)
        for beginning, reason in NOT_TABLES.items():
            if start.startswith(beginning):
                raise DataError(f"{path}: {reason}")
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as file:
            yield _bounded(file)


def usage_of(text: str | None) -> str:
    """The usage that a table names, or TEST; Training where it has no such column. ValueError for any other word."""
    name = TRAINING if text is None else text.strip()
    usage = name if name in USAGES else OTHER_USAGES.get(name.lower())
    if usage is None:
        raise ValueError(f"usage {name!r}, expected {', '.join(USAGES)}, or train, val and test")
    return usage


def _bounded(file: io.TextIOWrapper) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise csv.Error(f"a line of {MAX_LINE:,} characters or more")
        yield line


def _label(text: str) -> int:
    """0 to 6; pandas writes 3.0 for a column that had gaps."""
    name = text.strip()
    if emotion := canonical(name):
        return EMOTIONS.index(emotion)
    number = re.fullmatch(r"([0-9]{1,9})(\.0+)?", name)
    if not number or int(number[1]) >= len(EMOTIONS):
        raise ValueError(f"emotion {name!r}, expected 0 to {len(EMOTIONS) - 1}{did_you_mean(name)}")
    return int(number[1])


def _ends_with_a_line(path: Path) -> bool:
    with open_regular(path) as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in (b"\n", b"\r")


def _pixels(text: str) -> NDArray[np.uint8]:
    """(48, 48) uint8. NumPy's parser reads an epoch's rows in seconds where int() takes a minute, and only warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text, np.int64, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ValueError("pixels must be whole numbers with blanks between") from error
    if len(values) != PIXELS:
        raise ValueError(f"{len(values)} pixels, expected {PIXELS}")
    if values.min() < 0 or values.max() > WHITE:
        raise ValueError(f"pixels from {values.min()} to {values.max()}, expected 0 to {WHITE}")
    return values.astype(np.uint8).reshape(SIZE_PX, SIZE_PX)
