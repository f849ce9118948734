"""Faces put into a picture, and things put before faces."""

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.detector.dataset import Boxes, Photo, Points

MOST_PASTED = 6
PASTED_PX = (6.0, 56.0)  # sides of the faces
AROUND = 0.25  # of a face's sides: how much of its photo comes along on each side
HEADS = 0.35  # share of those that come from `heads`
DECOYS = 0.35  # share of what is pasted that is no face: hands, cups, badges, which would be taken for small ones
DECOY_PART = (0.08, 0.3)  # width of a decoy over the shorter side of its photo: a hand, not a room
DECOY_ASPECT = 1.25  # height over width, as of faces
MASKED, BARRED = 0.2, 0.12  # share of faces with something over mouth and nose, and with something anywhere

Picture = NDArray[np.uint8]


def paste_faces(  # noqa: PLR0913, PLR0917  a scene's parts, and what is put into it
    pixels: Picture,
    faces: Boxes,
    landmarks: Points,
    ignored: Boxes,
    photos: list[Photo],
    heads: list[Photo],
    rng: np.random.Generator,
) -> tuple[Picture, Boxes, Points, Boxes]:
    """The scene with some more faces, soft at their edges, where there are none yet, and with things that are none.

    Both are put there alike, so that the edge of what was pasted tells nothing. The picture is changed.
    """
    height, width = pixels.shape[:2]
    kept, points, taken = [*faces], [*landmarks], [*faces]
    for _ in range(rng.integers(1, MOST_PASTED + 1)):
        decoy = rng.random() < DECOYS
        pool = heads if heads and not decoy and rng.random() < HEADS else photos
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


def cover_faces(pixels: Picture, faces: Boxes, landmarks: Points, rng: np.random.Generator) -> None:
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
    """From the bridge of the nose, or below it, round the cheeks to under the chin."""
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
    """Whether two boxes come nearer than ``margin`` sides of the first."""
    space = margin * (a[2:] - a[:2])
    return bool((a[:2] - space < b[2:]).all() and (b[:2] < a[2:] + space).all())
