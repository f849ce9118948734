"""FER-2013 as folders of pictures: <split>/<class>/<picture>, or <class>/<picture>.

A file name that begins with a usage (`PrivateTest_10131363.jpg`) is believed; else the split's folder tells.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from converter.faces import SIZE_PX, USAGES, DataError, Faces
from converter.fer2013.mistakes import Mistakes
from fer_edge.labels import EMOTIONS, canonical

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm")
TRAINING, PUBLIC, PRIVATE = USAGES
# `test` alone is what one chooses by; beside a folder for validation it is what one reports.
SPLITS = {
    "train": TRAINING,
    "training": TRAINING,
    "val": PUBLIC,
    "valid": PUBLIC,
    "validation": PUBLIC,
    "publictest": PUBLIC,
    "privatetest": PRIVATE,
}
TEST = "test"
FERPLUS_NAME = re.compile(r"fer(\d{7})")  # how FER+ names a picture: its row in fer2013.csv


def read_folders(folder: Path) -> Faces:
    """All pictures below ``folder``, in the order of their paths.

    Raises DataError that names stray classes, pictures that do not decode, and those that are not 48x48.
    """
    mistakes = Mistakes(str(folder))
    images, labels, usages, rows = [], [], [], []
    for path, usage, label in _pictures(folder, mistakes):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        name = path.relative_to(folder)
        if image is None:
            mistakes.add(None, f"{name} is not a picture")
        elif image.shape != (SIZE_PX, SIZE_PX):
            mistakes.add(None, f"{name} has {image.shape[1]}x{image.shape[0]} pixels, expected {SIZE_PX}x{SIZE_PX}")
        else:
            images.append(image)
            labels.append(label)
            usages.append(next((known for known in USAGES if path.name.startswith(known)), usage))
            numbered = FERPLUS_NAME.match(path.name)
            rows.append(int(numbered[1]) if numbered else -1)
    mistakes.complain()
    if not images:
        raise DataError(f"{folder}: no pictures ({', '.join(SUFFIXES)}) in its class folders")
    faces = np.stack(images).astype(np.uint8, copy=False)
    return Faces(faces, np.array(labels, np.int64), np.array(usages), np.array(rows, np.int64))


def holds_classes(folder: Path) -> bool:
    """Whether ``folder`` looks like class folders, or splits of them: a class is enough, it need not be sound."""
    inner = [path for path in _folders(folder) if _is_split(path.name)]
    return any(canonical(path.name) for parent in (folder, *inner) for path in _folders(parent))


def _pictures(folder: Path, mistakes: Mistakes) -> Iterator[tuple[Path, str, int]]:
    splits = [path for path in _folders(folder) if _is_split(path.name)]
    names = {path.name.lower() for path in splits}
    test = PRIVATE if any(SPLITS.get(name) == PUBLIC for name in names) else PUBLIC
    for split in splits or [folder]:
        usage = test if split.name.lower() == TEST and splits else SPLITS.get(split.name.lower(), TRAINING)
        for inner in _folders(split):
            emotion = canonical(inner.name)
            if emotion is None:
                where = inner.relative_to(folder)
                mistakes.add(None, f"{where} is none of the classes {', '.join(EMOTIONS)}; remove or rename it")
                continue
            for path in sorted(inner.iterdir()):
                if path.suffix.lower() in SUFFIXES:
                    yield path, usage, EMOTIONS.index(emotion)
    if splits:
        for stray in set(_folders(folder)) - set(splits):
            mistakes.add(None, f"{stray.name} is neither train, validation nor test; remove it")


def _is_split(name: str) -> bool:
    return name.lower() in SPLITS or name.lower() == TEST


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
