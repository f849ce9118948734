"""FER-2013 as folders of pictures: <split>/<class>/<picture>, or <class>/<picture>.

A file name that begins with a usage (`PrivateTest_10131363.jpg`) counts; without it the split's folder does.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.data.faces import SIZE_PX, USAGES, DataError, Faces, Mistakes, did_you_mean
from fer_edge import MAX_PIXELS
from fer_edge.emotions import EMOTIONS, canonical
from fer_edge.untrusted import read_regular

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".pgm")
NOT_OURS = {"thumbs.db", "desktop.ini"}  # what Windows leaves in folders of pictures; hidden files are others' as well
# Some decoders make a picture of what is left of these; so their ends are looked for. What a program writes behind an
# end is short, and at 48x48 pixels so is what holds another end, an embedded preview.
ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG\r\n\x1a\n": b"IEND"}  # by how a JPEG and a PNG begin
END_WITHIN = 64  # bytes of the file's end, zeros behind it left out
MAX_BYTES = 128 << 20  # of one picture: uncompressed, MAX_PIXELS in colour take 100 MB
LIMIT_NAME = "MAX_IMAGE_PIXELS"  # in OpenCV's message
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

    Raises DataError that names stray classes, what is no picture or only a part of one, and what is not 48x48.
    """
    mistakes = Mistakes(str(folder))
    images, labels, usages, rows = [], [], [], []
    for path, usage, label in _pictures(folder, mistakes):
        try:
            images.append(_face(path))
        except ValueError as error:
            mistakes.add(None, f"{path.relative_to(folder)} {error}")
            continue
        labels.append(label)
        usages.append(next((known for known in USAGES if path.name.startswith(known)), usage))
        numbered = FERPLUS_NAME.match(path.name)
        rows.append(int(numbered[1]) if numbered else -1)
    mistakes.raise_if_any()
    if not images:
        raise DataError(f"{folder}: no pictures ({', '.join(SUFFIXES)}) in its class folders")
    return Faces(np.stack(images), np.array(labels, np.int64), np.array(usages), np.array(rows, np.int64))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """(h, w) uint8. Raises ValueError as `read_colour`, and where the end of a JPEG or PNG is missing."""
    content = _read(path)
    if _is_cut(content):
        raise ValueError("is cut off, its end is missing; copy it again or remove it")
    return _decoded(content, cv2.IMREAD_GRAYSCALE)


def read_colour(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 BGR.

    Raises ValueError, which continues the name of the file, where it is not a regular file, is larger than MAX_BYTES,
    has more than MAX_PIXELS, or is not a picture.
    """
    return _decoded(_read(path), cv2.IMREAD_COLOR)


def holds_classes(folder: Path) -> bool:
    """Return whether ``folder`` holds class folders, or splits of them; one class is enough."""
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
                known = ", ".join(EMOTIONS)
                mistakes.add(
                    None, f"{where} is none of the classes {known}; remove or rename it{did_you_mean(inner.name)}"
                )
                continue
            for path in sorted(inner.iterdir()):
                if _is_picture(path, path.relative_to(folder), mistakes):
                    yield path, usage, EMOTIONS.index(emotion)
    if splits:
        for stray in set(_folders(folder)) - set(splits):
            mistakes.add(None, f"{stray.name} is neither train, validation nor test; remove it")


def _is_picture(path: Path, name: Path, mistakes: Mistakes) -> bool:
    """Return whether ``path`` in a class folder is a picture; other files that are not ignored count as mistakes."""
    if path.name.startswith(".") or path.name.lower() in NOT_OURS:
        return False
    if path.is_dir():
        mistakes.add(None, f"{name} is a folder within a class; move its pictures up, or remove it")
        return False
    if path.suffix.lower() not in SUFFIXES:
        mistakes.add(None, f"{name} is none of {', '.join(SUFFIXES)}; convert or remove it")
        return False
    return True


def _face(path: Path) -> NDArray[np.uint8]:
    """(48, 48) uint8. Raises ValueError as `read_colour`, and where it has another size."""
    image = read_grey(path)
    if image.shape != (SIZE_PX, SIZE_PX):
        raise ValueError(f"has {image.shape[1]}x{image.shape[0]} pixels, expected {SIZE_PX}x{SIZE_PX}")
    return image


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise ValueError(f"cannot be read: {(error.strerror or str(error)).lower()}") from error


def _decoded(content: bytes, mode: int) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), mode) if content else None
    except cv2.error as error:
        reason = f"has more than {MAX_PIXELS:,} pixels" if LIMIT_NAME in str(error) else "is not a picture"
        raise ValueError(reason) from error
    if image is None:
        raise ValueError("is not a picture")
    return np.asarray(image, np.uint8)


def _is_cut(content: bytes) -> bool:
    """Return whether a JPEG or a PNG lacks its end."""
    end = next((end for start, end in ENDS.items() if content.startswith(start)), None)
    return end is not None and end not in content.rstrip(b"\0")[-END_WITHIN:]


def _is_split(name: str) -> bool:
    return name.lower() in SPLITS or name.lower() == TEST


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
