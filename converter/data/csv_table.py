"""FER-2013 as a CSV table: Kaggle's fer2013.csv and train.csv, icml_face_data.csv.

A face is a row: `emotion` 0 to 6, `pixels` as 2,304 numbers between blanks, and mostly `Usage`. Names of columns are
taken without regard to case and blanks, since icml_face_data.csv writes ` Usage` and ` pixels`.
"""

import csv
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import SIZE_PX, USAGES, DataError, Faces, Mistakes
from fer_edge.emotions import EMOTIONS
from fer_edge.untrusted import open_regular

PIXELS = SIZE_PX * SIZE_PX
WHITE = 255
MAX_LINE = 1 << 17  # characters: as many as Python's csv takes in one field; a face has at most 9,216


def read_table(path: Path) -> Faces:
    """All faces of a CSV file; without a Usage column all of them are Training.

    Raises DataError that names the bad rows by line, for a file that is not such a table, or one without rows.
    """
    images, labels, usages = [], [], []
    mistakes = Mistakes(path.name)
    for line, record in records(path, ("emotion", "pixels")):
        try:
            label, usage, pixels = _label(record["emotion"]), usage_of(record.get("usage")), _pixels(record["pixels"])
        except ValueError as error:
            mistakes.add(line, str(error))
            continue
        images.append(pixels)
        labels.append(label)
        usages.append(usage)
    mistakes.raise_if_any()
    if not images:
        raise DataError(f"{path}: no rows under the header")
    return Faces(np.stack(images), np.array(labels, np.int64), np.array(usages), np.arange(len(labels), dtype=np.int64))


def records(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line in the file; keys in lower case, values for missing fields are empty."""
    try:
        with table_lines(path) as lines:
            reader = csv.reader(lines)
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in needed if name not in header]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; its first line is the header of the columns")
            for row in reader:
                if row:
                    yield reader.line_num, dict(zip(header, row + [""] * (len(header) - len(row)), strict=False))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV text file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


@contextmanager
def table_lines(path: Path) -> Iterator[Iterator[str]]:
    """Open a CSV file, a regular one, and give its lines; the iterator raises csv.Error at one beyond MAX_LINE."""
    with open_regular(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as file:
        yield _bounded(file)


def usage_of(text: str | None) -> str:
    """The usage that a table names, Training where it has no such column; ValueError for any other word."""
    if text is None:
        return USAGES[0]
    if text.strip() not in USAGES:
        raise ValueError(f"usage {text.strip()!r}, expected {', '.join(USAGES)}")
    return text.strip()


def _bounded(file: io.TextIOWrapper) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise csv.Error(f"a line of {MAX_LINE:,} characters or more")
        yield line


def _label(text: str) -> int:
    if not text.strip().isdecimal() or int(text) >= len(EMOTIONS):
        raise ValueError(f"emotion {text.strip()!r}, expected 0 to {len(EMOTIONS) - 1}")
    return int(text)


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
