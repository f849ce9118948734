"""Synthetic training pictures: mosaic, copy-paste and photometric augmentation of photos.

A network that is to find faces of 6 pixels has to be trained on such faces; photos have few, so scenes are composed of
them. Everything is drawn from (seed, epoch, step), so that a resumed run shows exactly the same pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.detector.architecture import targets
from converter.detector.dataset import Boxes, Photo, Points
from converter.train.batches import prefetched

FOUR_IN_ONE, PASTED = 0.4, 0.5  # share of the scenes that are made of four, and of those that are given more faces
SMALLEST_PX, LARGEST = 6.0, 1.0  # side of the face that a photo is scaled by: pixels, and part of the picture's height
NEAR = 0.35  # share of the views in which a face fills the picture, as it does before a camera on a desk
NEAREST, FARTHEST = 1.2, 0.5  # its side then, in parts of the picture's smaller side
NEAR_PLACE = (0.3, 0.7)  # where its centre lies then, in parts of the picture
MOST_ENLARGED = 2.5  # times; more shows nothing but the interpolation
TURN_DEG = 9.0  # standard deviation
ALIASED = 0.3  # share of reduced photos that are sampled as the daemon does it, without averaging
BEHIND_PX = (320, 256)
LEAST_SEEN = 0.35  # part of a face inside the picture, below which it is ignored
LEAST_FACE_PX = 5.0  # side below which it is ignored as well
MOST_PASTED = 6
PASTED_PX = (6.0, 56.0)  # sides of the faces
AROUND = 0.25  # of a face's sides: how much of its photo comes along on each side
FACE_CROPS = 0.35  # share of those that come from `face_crops`
DECOYS = 0.35  # share of what is pasted that is no face: hands, cups, badges, which would be taken for small ones
DECOY_PART = (0.08, 0.3)  # width of a decoy over the shorter side of its photo: a hand, not a room
DECOY_ASPECT = 1.25  # height over width, as of faces
MASKED, BARRED = 0.2, 0.12  # share of faces with something over mouth and nose, and with something anywhere

Picture = NDArray[np.uint8]
GREY, BLURRED, NOISY, COMPRESSED, DARK = 0.25, 0.25, 0.3, 0.2, 0.1  # shares of the pictures
MOST_BLUR_PX, MOST_NOISE = 1.3, 12.0
LEAST_QUALITY = 35  # of JPEG

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]  # pictures (n, h, w, 3), targets (n, h / 8, w / 8, 6)

MEAN = STD = 128.0  # an input is (pixel - MEAN) / STD: an int8 file is then fed the pixels themselves, less 128
LARGER_EVERY = 6  # each so many steps the pictures have twice the sides, and are a quarter as many


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


def scene(gallery: Gallery, face_crops: list[Photo], height: int, width: int, rng: np.random.Generator) -> Scene:
    """One picture of ``height`` and ``width``; ``face_crops`` are photos of nothing but one face, to be put into it."""
    if rng.random() < FOUR_IN_ONE:
        made = _mosaic(gallery, height, width, rng)
    else:
        made = _view(gallery, gallery.draw(rng), height, width, rng)
    if rng.random() < PASTED:
        made = Scene(
            *paste_faces(made.pixels, made.faces, made.landmarks, made.ignored, gallery.photos, face_crops, rng)
        )
    return made


def _mosaic(gallery: Gallery, height: int, width: int, rng: np.random.Generator) -> Scene:
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
    """Return boxes moved into the picture, and a mask of those that are large and complete enough to count as faces.

    A box keeps its sides when it is turned: a head is round.
    """
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * scale
    moved = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
    inside = np.clip(moved, 0, np.array([width, height, width, height], np.float32))
    part = (inside[:, 2:] - inside[:, :2]).prod(axis=1) / np.maximum((4 * half.prod(axis=1)), 1e-6)
    # In a mosaic, beyond the edge of a view is another view: the middle of a face must not lie there.
    middle = (centres >= 0).all(axis=1) & (centres < [width, height]).all(axis=1)
    seen = middle & (part >= LEAST_SEEN) & (2 * half.max(axis=1, initial=0) >= LEAST_FACE_PX)
    return moved, seen


def _pyramid(photo: Photo) -> list[Photo]:
    versions = [photo]
    while min(versions[-1].pixels.shape[:2]) >= 64:  # noqa: PLR2004  below, nothing is left to be seen
        versions.append(versions[-1].halved())
    return versions


def paste_faces(  # noqa: PLR0913, PLR0917  a scene's parts, and what is put into it
    pixels: Picture,
    faces: Boxes,
    landmarks: Points,
    ignored: Boxes,
    photos: list[Photo],
    face_crops: list[Photo],
    rng: np.random.Generator,
) -> tuple[Picture, Boxes, Points, Boxes]:
    """The scene with some more faces, soft at their edges, where there are none yet, and with things that are none.

    Both are blended alike, so that a pasted edge is no evidence of a face. The picture is changed.
    """
    height, width = pixels.shape[:2]
    kept, points, taken = [*faces], [*landmarks], [*faces]
    for _ in range(rng.integers(1, MOST_PASTED + 1)):
        decoy = rng.random() < DECOYS
        pool = face_crops if face_crops and not decoy and rng.random() < FACE_CROPS else photos
        photo = pool[rng.integers(len(pool))]
        if not decoy and not len(photo.faces):
            continue
        number = 0 if decoy else rng.integers(len(photo.faces))
        box = _no_face(photo, rng) if decoy else photo.faces[number]
        if box is None:
            continue
        sides = box[2:] - box[:2]
        side = float(np.exp(rng.uniform(*np.log(PASTED_PX))))
        scale = side / float(np.sqrt(sides.prod()) or 1.0)
        new = np.array([*(rng.uniform(0, 1, 2) * ([width, height] - sides * scale)), 0, 0], np.float32)
        new[2:] = new[:2] + sides * scale
        if min(new[0], new[1]) < 0 or any(_touch(new, other, 0.3) for other in (*taken, *ignored)):
            continue
        _blend(pixels, photo.pixels, box, new, scale)
        taken.append(new)
        if not decoy:
            kept.append(new)
            points.append((photo.landmarks[number] - box[:2]) * scale + new[:2])
    return pixels, np.array(kept, np.float32).reshape(-1, 4), np.array(points, np.float32).reshape(-1, 5, 2), ignored


def occlude_faces(pixels: Picture, faces: Boxes, landmarks: Points, rng: np.random.Generator) -> None:
    """Cloth over mouth and nose, or a bar somewhere, for some of the faces. The picture is changed."""
    for face, points in zip(faces, landmarks, strict=True):
        chance = rng.random()
        if chance < MASKED and np.isfinite(points).all():
            _mask(pixels, face, points, rng)
        elif chance > 1 - BARRED:
            sides = face[2:] - face[:2]
            size = sides * rng.uniform(0.2, 0.55, 2)
            corner = face[:2] + rng.uniform(-0.2, 1.0, 2) * (sides - size / 2)
            outline = np.array([corner, corner + size * (1, 0), corner + size, corner + size * (0, 1)])
            _fill(pixels, outline, rng)


def _no_face(photo: Photo, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """A box in a photo that touches no face, taller than wide as faces are; None where the first try finds none."""
    height, width = photo.pixels.shape[:2]
    w = rng.uniform(*DECOY_PART) * min(height, width)
    h = DECOY_ASPECT * w
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = np.array([left, top, left + w, top + h], np.float32)
    touched = any(_touch(box, other, AROUND) for other in (*photo.faces, *photo.ignored))
    return None if touched else box


def _mask(pixels: Picture, face: NDArray[np.float32], points: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Draw a mask from the bridge of the nose, or below it, round the cheeks to under the chin."""
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    eyes, mouth = (right_eye + left_eye) / 2, (right_mouth + left_mouth) / 2
    down, across = mouth - eyes, left_eye - right_eye
    top = eyes + (nose - eyes) * rng.uniform(0.35, 1.1)
    chin = mouth + down * rng.uniform(0.5, 0.8)
    # How far the cheeks reach on either side, from the box: a face that is turned shows one of them.
    reach = float(np.linalg.norm(across)) or 1.0
    out_right = np.clip((nose[0] - face[0]) / reach, 0.3, 1.3) * rng.uniform(0.85, 1.05)
    out_left = np.clip((face[2] - nose[0]) / reach, 0.3, 1.3) * rng.uniform(0.85, 1.05)
    if across[0] < 0:  # the photo is mirrored, and with it which eye is which
        out_right, out_left = out_left, out_right
    cheek = (top + mouth) / 2
    outline = np.array(
        [
            top,
            cheek - across * out_right - down * 0.2,
            mouth - across * out_right * 0.9,
            chin - across * 0.35,
            chin + across * 0.35,
            mouth + across * out_left * 0.9,
            cheek + across * out_left - down * 0.2,
        ]
    )
    _fill(pixels, outline, rng)


def _fill(pixels: Picture, outline: NDArray[np.floating], rng: np.random.Generator) -> None:
    """One colour with some shade over an outline, mostly a plain light or dark one."""
    shade = rng.uniform(0, 255)
    colour = np.clip(shade + rng.normal(0, 25, 3), 0, 255)
    fixed = np.round(outline * 16).astype(np.int32)
    if rng.random() < 0.5:  # noqa: PLR2004  half of them let the face's own light and shade through
        layer = pixels.copy()
        cv2.fillPoly(layer, [fixed], colour.tolist(), cv2.LINE_AA, shift=4)
        part = rng.uniform(0.75, 1.0)
        cv2.addWeighted(layer, part, pixels, 1 - part, 0, dst=pixels)
    else:
        cv2.fillPoly(pixels, [fixed], colour.tolist(), cv2.LINE_AA, shift=4)


def _blend(pixels: Picture, source: Picture, box: NDArray[np.float32], new: NDArray[np.float32], scale: float) -> None:
    """Draw the face in ``box`` of ``source`` at ``new``, fading out in an ellipse round it."""
    height, width = pixels.shape[:2]
    there_is = np.minimum(box[:2], [source.shape[1], source.shape[0]] - box[2:]).clip(0) * scale
    margin = np.minimum(AROUND * (new[2:] - new[:2]), there_is)  # beyond it a photo has nothing but its border
    left, top = np.maximum(np.floor(new[:2] - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(new[2:] + margin), [width, height]).astype(int)
    while scale < 0.5 and min(source.shape[:2]) >= 16:  # noqa: PLR2004  or what is left out would flicker
        source, box, scale = _half(source), (box / 2).astype(np.float32), scale * 2
    matrix = np.array([[scale, 0, new[0] - left - scale * box[0]], [0, scale, new[1] - top - scale * box[1]]])
    size = (int(right - left), int(bottom - top))
    face = cv2.warpAffine(source, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    centre, half = (new[:2] + new[2:]) / 2, (new[2:] - new[:2]) / 2 + margin
    away = np.hypot((x - centre[0]) / half[0], (y - centre[1]) / half[1])
    alpha = np.clip((1.05 - away) / 0.2, 0, 1)[..., None]
    there = pixels[top:bottom, left:right]
    there[:] = np.round(alpha * face + (1 - alpha) * there).astype(np.uint8)


def _half(source: Picture) -> Picture:
    rows, columns = source.shape[0] // 2 * 2, source.shape[1] // 2 * 2
    halved = cv2.resize(source[:rows, :columns], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(halved, np.uint8)


def _touch(a: NDArray[np.float32], b: NDArray[np.float32], margin: float) -> bool:
    """Return whether two boxes are closer than ``margin`` sides of the first."""
    space = margin * (a[2:] - a[:2])
    return bool((a[:2] - space < b[2:]).all() and (b[:2] < a[2:] + space).all())


def augment_light(pixels: Picture, rng: np.random.Generator) -> Picture:
    """(h, w, 3) uint8 under another light, through another lens, from another camera."""
    grey = np.arange(256, dtype=np.float32)
    gamma = np.exp(rng.normal(0, 0.25))
    contrast, brightness = np.exp(rng.normal(0, 0.2)), rng.normal(0, 18)
    if rng.random() < DARK:
        contrast *= rng.uniform(0.2, 0.6)
        brightness = -10.0
    tint = np.exp(rng.normal(0, 0.07, 3))
    curve = 255 * (grey / 255) ** gamma
    table = np.clip((curve - 128) * contrast + 128 + brightness, 0, 255)
    made = np.asarray(cv2.LUT(pixels, np.clip(table[:, None] * tint, 0, 255).astype(np.uint8)[None]), np.uint8)
    if rng.random() < GREY:
        made = np.asarray(cv2.cvtColor(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    return _degraded(made, rng)


def _degraded(made: Picture, rng: np.random.Generator) -> Picture:
    """Blur, noise and compression."""
    if rng.random() < BLURRED:
        sigma = rng.uniform(0.3, MOST_BLUR_PX, 2)  # unlike in both directions: a hand that shakes
        made = np.asarray(cv2.GaussianBlur(made, (0, 0), sigma[0], sigmaY=sigma[1]), np.uint8)
    if rng.random() < NOISY:
        noise = rng.standard_normal(made.shape, np.float32) * np.float32(rng.uniform(1, MOST_NOISE))
        made = np.asarray(cv2.add(made, noise, dtype=cv2.CV_8U), np.uint8)
    if rng.random() < COMPRESSED:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(LEAST_QUALITY, 90))]
        made = np.asarray(cv2.imdecode(cv2.imencode(".jpg", made, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return made


def inputs(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w, 3) uint8 to what a network is fed, float32 from -1 to 1."""
    return (pictures.astype(np.float32) - MEAN) / STD


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """All batches of a run."""

    gallery: Gallery
    face_crops: list[Photo]
    height: int
    width: int
    batch: int
    steps: int  # batches an epoch
    seed: int

    def made(self, epoch: int, step: int) -> Batch:
        """One batch; every so many are of larger pictures."""
        times = 2 if step % LARGER_EVERY == LARGER_EVERY - 1 else 1
        height, width, count = self.height * times, self.width * times, max(1, self.batch // times**2)
        rng = np.random.default_rng([self.seed, epoch, step])
        pictures = np.empty((count, height, width, 3), np.uint8)
        wanted = []
        for index in range(count):
            one = scene(self.gallery, self.face_crops, height, width, rng)
            occlude_faces(one.pixels, one.faces, one.landmarks, rng)
            pictures[index] = augment_light(one.pixels, rng)
            wanted.append(targets(one.faces, one.ignored, height, width))
        return inputs(pictures), np.stack(wanted)

    def stream(self, first: int, last: int, workers: int = 1) -> Iterator[Batch]:
        """Give the batches of the epochs ``first`` to before ``last``, prepared ahead by ``workers`` threads."""
        steps = ((epoch, step) for epoch in range(first, last) for step in range(self.steps))
        return prefetched((partial(self.made, *at) for at in steps), workers)
