"""Reader of FER-2013 in its usual forms, identified by content."""

import csv
from pathlib import Path

from converter.data.csv_table import read_table, table_lines
from converter.data.faces import USAGES, DataError, Faces
from converter.data.ferplus import with_votes
from converter.data.images import holds_classes, read_folders
from converter.data.sheets import LABELS, read_sheets

FORMS = "fer2013.csv, icml_face_data.csv, a folder of class folders, or a folder of sheets with labels.csv"
TABLES = ("fer2013.csv", "icml_face_data.csv")
COMPLETE = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
# Training without the 151 faces that FER+ gives no name: what the sheets hold.
COMPLETE_FERPLUS = 28_558


def read_faces(path: Path, votes: Path | None = None) -> Faces:
    """The faces of ``path`` in whatever form they are, with FER+ votes joined from ``votes`` where it is given.

    Raises DataError, one line a mistake.
    """
    table = _table(path)
    faces = read_table(table) if table else _read_pictures(path)
    return with_votes(faces, votes, counted=table is not None) if votes else faces


def counted(faces: Faces) -> str:
    """One line with the faces of each usage, and what is missing of the complete set, for a person to check."""
    parts = []
    for usage in USAGES:
        count, complete = int((faces.usages == usage).sum()), COMPLETE[usage]
        known = (0, complete, COMPLETE_FERPLUS) if usage == "Training" else (0, complete)
        if count:
            parts.append(f"{usage} {count:,}" + ("" if count in known else f" (the complete set has {complete:,})"))
    return ", ".join(parts)


def _table(path: Path) -> Path | None:
    """The table that ``path`` is or, as a folder, holds; None for a folder of pictures."""
    if path.is_file():
        if path.suffix.lower() == ".csv":
            return path
        raise DataError(f"{path}: expected {FORMS}; unpack an archive first")
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; expected {FORMS}")
    held = () if _names_sheets(path / LABELS) else TABLES
    return next((path / name for name in held if (path / name).is_file()), None)


def _read_pictures(path: Path) -> Faces:
    if _names_sheets(path / LABELS):
        return read_sheets(path)
    if holds_classes(path):
        return read_folders(path)
    raise DataError(f"{path}: holds none of the forms of FER-2013: {FORMS}")


def _names_sheets(path: Path) -> bool:
    try:
        with table_lines(path) as lines:
            return "sheet" in next(csv.reader(lines), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
