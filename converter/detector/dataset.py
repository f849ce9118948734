"""Photos with the boxes of the faces in them: from COCO files, and FER-2013 faces to paste."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.data.images import read_colour
from converter.networks.identify import one_line
from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_json, read_regular

MAX_COCO_BYTES = 2**30  # the annotations of COCO 2017 have 0.5 GB
LONGEST_PX = 448  # side to which photos are reduced when they are read: memory, and the pictures of a network are small

Boxes = NDArray[np.float32]  # (n, 4) left, top, right, bottom in pixels
Points = NDArray[
    np.float32
]  # (n, 5, 2) right eye, left eye, nose, right and left corner of the mouth; nan where unknown
# Where YuNet's box lies in a FER-2013 face, as fractions of its 48 pixels: side over box 1.00, the box's centre 0.03
# lower (docs/vision.md), four fifths as wide as high.
BOX = (0.1, 0.03, 0.9, 1.03)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One photo. What is neither in a face nor in an ignored box is known to be no face."""

    pixels: NDArray[np.uint8]  # (h, w, 3) BGR
    faces: Boxes
    landmarks: Points
    ignored: Boxes
    group: str  # the set that it is from
    known_empty: bool = False  # a person found no face; elsewhere the pseudo-labels may have missed one

    def halved(self) -> "Photo":
        """The photo at half its size, by area."""
        height, width = self.pixels.shape[:2]
        size = (max(1, width // 2), max(1, height // 2))
        pixels = np.asarray(cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        return _scaled(self, pixels, np.array([size[0] / width, size[1] / height], np.float32))


def read_photos(annotations: Path, folder: Path) -> list[Photo]:
    """All photos of a COCO file, whose names are paths in ``folder``.

    A box that is marked `ignore` or `iscrowd` counts neither as a face nor as none. Raises UserError where the file
    or a photo cannot be read, or there is none.
    """
    try:
        content = read_coco(annotations)
        boxes: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in content["images"]}
        for annotation in content["annotations"]:
            boxes[annotation["image_id"]].append(annotation)
        if not boxes:
            raise UserError(f"{annotations}: names no images; leave it out or label some photos")
        return [_read(image, boxes[image["id"]], folder) for image in content["images"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{annotations}: is no COCO file with boxes of faces: {one_line(error)}") from error


def read_coco(path: Path) -> dict[str, Any]:
    """Decode a COCO file. UserError where it cannot be read or is no JSON object."""
    try:
        return decode_json(read_regular(path, MAX_COCO_BYTES), dict[str, Any])
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DecodeError as error:
        raise UserError(f"{path}: is no COCO file with boxes of faces: {error}") from error


def read_photo(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 BGR. UserError where ``path`` cannot be read, is not a picture, or is too large."""
    try:
        return read_colour(path)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def _read(image: dict[str, Any], annotations: list[dict[str, Any]], folder: Path) -> Photo:
    pixels = read_photo(folder / image["file_name"])
    faces = [one for one in annotations if not one.get("ignore") and not one.get("iscrowd")]
    ignored = [one for one in annotations if one.get("ignore") or one.get("iscrowd")]
    group = str(image.get("set", folder.name))
    photo = Photo(pixels, _boxes(faces), _landmarks(faces), _boxes(ignored), group, bool(image.get("kind")))
    height, width = pixels.shape[:2]
    scale = LONGEST_PX / max(height, width)
    if scale >= 1:
        return photo
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    reduced = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _scaled(photo, reduced, np.array([size[0] / width, size[1] / height], np.float32))


def _scaled(photo: Photo, pixels: NDArray[np.uint8], factor: NDArray[np.float32]) -> Photo:
    twice = np.tile(factor, 2)
    return replace(
        photo,
        pixels=pixels,
        faces=photo.faces * twice,
        landmarks=photo.landmarks * factor,
        ignored=photo.ignored * twice,
    )


def _boxes(annotations: list[dict[str, Any]]) -> Boxes:
    boxes = np.array([one["bbox"] for one in annotations], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _landmarks(annotations: list[dict[str, Any]]) -> Points:
    unknown = [np.nan] * 10
    return np.array([one.get("landmarks5") or unknown for one in annotations], np.float32).reshape(-1, 5, 2)


def face_crops(faces: Faces) -> list[Photo]:
    """Each face of FER-2013 as a grey photo."""
    nowhere, unknown = np.zeros((0, 4), np.float32), np.full((1, 5, 2), np.nan, np.float32)
    side = faces.images.shape[1]
    box = np.array([BOX], np.float32) * side
    pictures = (np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8) for image in faces.images)
    return [Photo(picture, box, unknown, nowhere, "fer2013") for picture in pictures]
