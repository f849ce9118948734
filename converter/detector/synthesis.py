"""Pictures to learn from, each made anew: a photo from near or far, four in one, or faces put where there were none.

A network that is to find faces of 6 pixels has to have seen some; photos have few, so scenes are made of what there
is. Everything is drawn from the generator that is given.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.detector.dataset import Boxes, Photo, Points
from converter.detector.paste import paste_faces

FOUR_IN_ONE, PASTED = 0.4, 0.5  # share of the scenes that are made of four, and of those that are given more faces
SMALLEST_PX, LARGEST = 6.0, 1.0  # side of the face that a photo is scaled by: pixels, and part of the picture's height
NEAR = 0.35  # share of the views in which a face fills the picture, as it does before a camera on a desk
NEAREST, FARTHEST = 1.2, 0.5  # its side then, in parts of the picture's smaller side
NEAR_PLACE = (0.3, 0.7)  # where its centre lies then, in parts of the picture
MOST_ENLARGED = 2.5  # times; more shows nothing but the interpolation
TURN_DEG = 9.0  # standard deviation
ALIASED = 0.3  # share of reduced photos that are sampled as the daemon does it, without averaging
BEHIND_PX = (320, 256)
LEAST_SEEN = 0.35  # part of a face inside the picture, below which nothing is asked of it
LEAST_FACE_PX = 5.0  # side below which nothing is asked either


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what is known of it."""

    pixels: NDArray[np.uint8]  # (h, w, 3) BGR
    faces: Boxes
    landmarks: Points
    ignored: Boxes


class Gallery:
    """The photos, each with its smaller versions, and the faces in them. Read-only once made; threads may share it."""

    def __init__(self, photos: list[Photo]) -> None:
        self.photos = photos
        self._smaller = [_pyramid(photo) for photo in photos]
        groups, numbers = np.unique([photo.group for photo in photos], return_inverse=True)
        # A set of four times as many photos is shown twice as often: neither its photos nor its world take over.
        chance = np.bincount(numbers).astype(np.float64)[numbers] ** -0.5
        self._cumulated = np.cumsum(chance / chance.sum())
        self._cumulated[-1] = 1.0
        self.groups = {str(name): int(count) for name, count in zip(groups, np.bincount(numbers), strict=True)}

    @cached_property
    def empty(self) -> list[NDArray[np.uint8]]:
        """The photos that are known to have no face, small: what is seen behind others."""
        photos = (photo for photo in self.photos if not len(photo.faces) and not len(photo.ignored))
        return [np.asarray(cv2.resize(photo.pixels, BEHIND_PX, interpolation=cv2.INTER_AREA)) for photo in photos]

    def draw(self, rng: np.random.Generator) -> int:
        """A photo's index."""
        return int(np.searchsorted(self._cumulated, rng.random()))

    def level(self, index: int, scale: float) -> tuple[Photo, float]:
        """The smallest version of a photo that need not be enlarged to show it at ``scale``, and the scale left."""
        versions = self._smaller[index]
        level = min(len(versions) - 1, max(0, int(np.floor(-np.log2(scale)))))
        return versions[level], scale * 2**level


def scene(gallery: Gallery, heads: list[Photo], height: int, width: int, rng: np.random.Generator) -> Scene:
    """One picture of ``height`` and ``width``; ``heads`` are photos of nothing but one face, to be put into it."""
    if rng.random() < FOUR_IN_ONE:
        made = _four(gallery, height, width, rng)
    else:
        made = _view(gallery, gallery.draw(rng), height, width, rng)
    if rng.random() < PASTED:
        made = Scene(*paste_faces(made.pixels, made.faces, made.landmarks, made.ignored, gallery.photos, heads, rng))
    return made


def _four(gallery: Gallery, height: int, width: int, rng: np.random.Generator) -> Scene:
    """Four views side by side, which makes four times smaller faces and edges that are none."""
    middle_y = int(rng.uniform(0.3, 0.7) * height)
    middle_x = int(rng.uniform(0.3, 0.7) * width)
    pixels = np.empty((height, width, 3), np.uint8)
    parts = []
    for top, bottom in ((0, middle_y), (middle_y, height)):
        for left, right in ((0, middle_x), (middle_x, width)):
            part = _view(gallery, gallery.draw(rng), bottom - top, right - left, rng)
            pixels[top:bottom, left:right] = part.pixels
            offset = np.array([left, top], np.float32)
            twice = np.tile(offset, 2)
            parts.append((part.faces + twice, part.landmarks + offset, part.ignored + twice))
    faces, landmarks, ignored = (np.concatenate(group).astype(np.float32) for group in zip(*parts, strict=True))
    return Scene(pixels, faces, landmarks, ignored)


def _view(gallery: Gallery, index: int, height: int, width: int, rng: np.random.Generator) -> Scene:
    """A photo at a chance scale, turn and place, mirrored or not; a face of it is somewhere in the picture."""
    whole = gallery.photos[index]
    rows, columns = whole.pixels.shape[:2]
    near = len(whole.faces) and rng.random() < NEAR
    if len(whole.faces):
        left, top, right, bottom = whole.faces[rng.integers(len(whole.faces))]
        side = max(1.0, float(np.sqrt((right - left) * (bottom - top))))
        largest = max(SMALLEST_PX * 2, LARGEST * min(height, width))
        if near:
            wanted = min(height, width) * rng.uniform(FARTHEST, NEAREST)
        else:
            wanted = float(np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(largest))))
        scale = wanted / side
        centre = ((left + right) / 2, (top + bottom) / 2)
    else:
        scale = max(height / rows, width / columns) * float(np.exp(rng.uniform(-0.5, 1.0)))
        centre = (columns * rng.uniform(0.2, 0.8), rows * rng.uniform(0.2, 0.8))
    scale = min(scale, MOST_ENLARGED)
    aliased = rng.random() < ALIASED
    photo, left_scale = (whole, scale) if aliased else gallery.level(index, scale)
    centre = tuple(part * scale / left_scale for part in centre)
    across, down = (NEAR_PLACE, NEAR_PLACE) if near else ((0.05, 0.95), (0.08, 0.92))
    place = (width * rng.uniform(*across), height * rng.uniform(*down))
    matrix = _matrix(centre, place, left_scale, rng.normal(0, TURN_DEG), mirrored=rng.random() < 0.5)  # noqa: PLR2004
    pixels = _warped(gallery, photo.pixels, matrix, height, width, rng)
    faces, seen = _moved(photo.faces, matrix, height, width)
    ignored, _ = _moved(photo.ignored, matrix, height, width)
    landmarks = photo.landmarks @ matrix[:, :2].T + matrix[:, 2]
    return Scene(pixels, faces[seen], landmarks[seen].astype(np.float32), np.concatenate([ignored, faces[~seen]]))


def _warped(  # noqa: PLR0913, PLR0917  what is laid where, and behind it
    gallery: Gallery,
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    height: int,
    width: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """The photo in the picture; what it leaves open shows its border, one colour, or a photo without faces."""
    size = (width, height)
    around = rng.random()
    if around < 0.3:  # noqa: PLR2004
        return np.asarray(cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    if around < 0.5 or not gallery.empty:  # noqa: PLR2004
        colour = rng.integers(0, 256, 3).tolist()
        return np.asarray(cv2.warpAffine(pixels, matrix, size, borderValue=colour), np.uint8)
    picture = cv2.resize(gallery.empty[rng.integers(len(gallery.empty))], size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.warpAffine(pixels, matrix, size, dst=picture, borderMode=cv2.BORDER_TRANSPARENT), np.uint8)


def _matrix(
    centre: tuple[float, ...], place: tuple[float, float], scale: float, turn_deg: float, *, mirrored: bool
) -> NDArray[np.float64]:
    """(2, 3): what takes ``centre`` of a photo to ``place`` in the picture, scaled, turned and mirrored."""
    turn = np.deg2rad(turn_deg)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if mirrored:
        linear[:, 0] *= -1
    return np.column_stack([linear, np.array(place) - linear @ np.array(centre)])


def _moved(boxes: Boxes, matrix: NDArray[np.float64], height: int, width: int) -> tuple[Boxes, NDArray[np.bool_]]:
    """Boxes in the picture, those outside it left out, and which of them are large and complete enough to be asked for.

    A box keeps its sides when it is turned: a head is round.
    """
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * scale
    moved = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
    inside = np.clip(moved, 0, np.array([width, height, width, height], np.float32))
    part = (inside[:, 2:] - inside[:, :2]).prod(axis=1) / np.maximum((4 * half.prod(axis=1)), 1e-6)
    # In one of four views what lies beyond its edge is another view: nobody should see a face's middle there.
    middle = (centres >= 0).all(axis=1) & (centres < [width, height]).all(axis=1)
    seen = middle & (part >= LEAST_SEEN) & (2 * half.max(axis=1, initial=0) >= LEAST_FACE_PX)
    return moved, seen


def _pyramid(photo: Photo) -> list[Photo]:
    versions = [photo]
    while min(versions[-1].pixels.shape[:2]) >= 64:  # noqa: PLR2004  below, nothing is left to be seen
        versions.append(versions[-1].halved())
    return versions
