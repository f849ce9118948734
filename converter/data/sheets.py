"""FER-2013 as lossless sheets: WebP pictures of 48x48 tiles, and `labels.csv` with labels and FER+ votes."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data.csv_table import table_lines
from converter.data.faces import FERPLUS, SIZE_PX, USAGES, DataError, Faces, Mistakes
from converter.data.images import read_grey
from fer_edge.emotions import EMOTIONS

LABELS = "labels.csv"
VOTES = tuple(f"ferplus_{name}" for name in FERPLUS)
COLUMNS = ("sheet", "index", "row", "usage", "emotion")
ACROSS = 32  # faces in a row of a sheet


def read_sheets(folder: Path) -> Faces:
    """All faces of a folder of sheets, in the order of its labels.csv.

    Raises DataError where a row, a sheet or a number is not what it should be.
    """
    path = folder / LABELS
    try:
        with table_lines(path) as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; sheets need {', '.join(COLUMNS)}")
            has_votes = set(VOTES) <= set(reader.fieldnames or ())
            rows = _checked(reader, path.name, has_votes=has_votes)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV text file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    images = np.empty((len(rows), SIZE_PX, SIZE_PX), np.uint8)
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for position, (sheet, index, *_) in enumerate(rows):
        places[sheet].append((position, index))
    for sheet, wanted in places.items():
        tiles = _tiles(folder / sheet)
        positions, indices = (np.array(column) for column in zip(*wanted, strict=True))
        if indices.max() >= len(tiles):
            raise DataError(f"{folder / sheet}: {LABELS} names face {indices.max()}, the sheet has {len(tiles)}")
        images[positions] = tiles[indices]
    return Faces(
        images,
        labels=np.array([row[4] for row in rows], np.int64),
        usages=np.array([row[3] for row in rows]),
        rows=np.array([row[2] for row in rows], np.int64),
        votes=np.array([row[5] for row in rows], np.int64) if has_votes else None,
    )


def _checked(
    reader: "csv.DictReader[str]", name: str, *, has_votes: bool
) -> list[tuple[str, int, int, str, int, list[int]]]:
    rows = []
    named: set[tuple[str, int]] = set()
    mistakes = Mistakes(name)
    for record in reader:
        try:
            index, row, emotion = (int(record[key]) for key in ("index", "row", "emotion"))
            votes = [int(record[key]) for key in VOTES] if has_votes else []
        except (TypeError, ValueError):
            mistakes.add(reader.line_num, "index, row, emotion and votes must be whole numbers")
            continue
        if not 0 <= emotion < len(EMOTIONS):
            mistakes.add(reader.line_num, f"emotion {emotion}, expected 0 to {len(EMOTIONS) - 1}")
        elif record["usage"] not in USAGES:
            mistakes.add(reader.line_num, f"usage {record['usage']!r}, expected {', '.join(USAGES)}")
        elif index < 0 or any(vote < 0 for vote in votes):
            mistakes.add(reader.line_num, "index and votes must not be negative")
        elif (record["sheet"], index) in named:
            mistakes.add(reader.line_num, f"face {index} of {record['sheet']} is named a second time")
        else:
            named.add((record["sheet"], index))
            rows.append((record["sheet"], index, row, record["usage"], emotion, votes))
    mistakes.raise_if_any()
    if not rows:
        raise DataError(f"{name}: no rows")
    return rows


def _tiles(path: Path) -> NDArray[np.uint8]:
    """(n, 48, 48) uint8: the faces of one sheet, row by row."""
    try:
        sheet = read_grey(path)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    height, width = sheet.shape
    if width != ACROSS * SIZE_PX or height % SIZE_PX:
        raise DataError(
            f"{path}: {width}x{height} pixels, expected {ACROSS * SIZE_PX} wide and a multiple of {SIZE_PX} high"
        )
    tiles = sheet.reshape(height // SIZE_PX, SIZE_PX, ACROSS, SIZE_PX).swapaxes(1, 2)
    return np.ascontiguousarray(tiles.reshape(-1, SIZE_PX, SIZE_PX), np.uint8)
