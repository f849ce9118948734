"""A scene's boxes are where its pixels are: the faces are painted."""

import numpy as np
import pytest

from converter.detector.synthesis import Gallery, Scene, occlude_faces, paste_faces, scene
from tests.converter.detector.conftest import AROUND, FACE, empty, painted

HEIGHT, WIDTH = 96, 128


def is_face(pixels: np.ndarray) -> np.ndarray:
    """Mask of the pixels whose colour is closer to a face's than to the background's."""
    away = [np.abs(pixels.astype(int) - colour).sum(axis=-1) for colour in (FACE, AROUND)]
    return away[0] < away[1]


def part_of(mask: np.ndarray, box: np.ndarray, grow: float) -> float:
    """The part of a box, its sides grown about its centre, inside the picture that is face; nan where there is none."""
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * grow
    left, top = np.maximum(np.round(centre - half).astype(int), 0)
    right, bottom = np.round(centre + half).astype(int)
    inside = mask[top:bottom, left:right]
    return float(inside.mean()) if inside.size else float("nan")


@pytest.fixture
def gallery() -> Gallery:
    return Gallery([painted(), painted(300, 400, (200, 100, 260, 180)), empty()])


def test_faces_are_where_the_boxes_say_at_every_scale_turn_and_place(gallery: Gallery, rng: np.random.Generator):
    shares = []
    for _ in range(150):
        made = scene(gallery, [], HEIGHT, WIDTH, rng)
        mask = is_face(made.pixels)
        for box in made.faces:
            if min(box[2:] - box[:2]) < 10:
                continue  # some pixels wide, its colours are mixed
            shares.append(part_of(mask, box, 0.5))
    assert len(shares) > 100
    assert min(shares) > 0.4, "a face of which half is seen has its middle at the edge"
    assert np.median(shares) > 0.99


def test_what_is_no_face_and_not_ignored_shows_none(gallery: Gallery, rng: np.random.Generator):
    for _ in range(100):
        made = scene(gallery, [], HEIGHT, WIDTH, rng)
        mask = is_face(made.pixels)
        for left, top, right, bottom in np.concatenate([made.faces, made.ignored]):
            # A turned square reaches beyond its box by a quarter at most, a blurred one by a pixel or two.
            w, h = 0.25 * (right - left) + 3, 0.25 * (bottom - top) + 3
            rows = slice(max(0, int(top - h)), max(0, int(bottom + h)))
            mask[rows, max(0, int(left - w)) : max(0, int(right + w))] = False
        colour = made.pixels[mask]
        # What is left are borders of one colour, chosen by chance and maybe red; no face has ended there.
        assert len(np.unique(colour, axis=0)) <= 60


def test_faces_are_of_all_sizes_and_some_scenes_have_several(gallery: Gallery, rng: np.random.Generator):
    made = [scene(gallery, [], HEIGHT, WIDTH, rng) for _ in range(150)]
    sides = np.concatenate([np.sqrt((one.faces[:, 2:] - one.faces[:, :2]).prod(axis=1)) for one in made])
    assert (sides < 10).any()
    assert (sides > 48).any()
    assert sides.min() >= 5
    counts = [len(one.faces) for one in made]
    assert max(counts) >= 3
    assert min(counts) == 0


def test_in_a_fair_share_of_the_scenes_a_face_fills_the_picture(gallery: Gallery, rng: np.random.Generator):
    made = [scene(gallery, [], HEIGHT, WIDTH, rng) for _ in range(150)]
    heights = [(one.faces[:, 3] - one.faces[:, 1]).max(initial=0) for one in made]
    assert 15 <= sum(height > 0.6 * HEIGHT for height in heights) <= 60


def test_one_generator_makes_one_scene(gallery: Gallery):
    first, second, other = (scene(gallery, [], HEIGHT, WIDTH, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert (first.pixels == second.pixels).all()
    assert (first.faces == second.faces).all()
    assert (first.pixels != other.pixels).any()


def test_photos_without_faces_alone_make_scenes_without_faces(rng: np.random.Generator):
    for _ in range(30):
        made = scene(Gallery([empty()]), [], HEIGHT, WIDTH, rng)
        assert made.faces.shape == (0, 4)
        assert made.landmarks.shape == (0, 5, 2)


def test_a_set_of_four_times_as_many_photos_is_shown_twice_as_often(rng: np.random.Generator):
    gallery = Gallery([painted()] * 16 + [empty()] * 4)
    drawn = np.array([gallery.draw(rng) for _ in range(6000)])
    assert (drawn < 16).sum() / (drawn >= 16).sum() == pytest.approx(2.0, rel=0.15)
    assert gallery.groups == {"empty": 4, "painted": 16}


def blank() -> Scene:
    nowhere = np.zeros((0, 4), np.float32)
    return Scene(np.full((HEIGHT, WIDTH, 3), AROUND, np.uint8), nowhere, np.zeros((0, 5, 2), np.float32), nowhere)


def test_faces_are_put_where_the_boxes_say_and_apart(rng: np.random.Generator):
    faces = 0
    for _ in range(60):
        one = blank()
        pixels, boxes, points, _ = paste_faces(
            one.pixels, one.faces, one.landmarks, one.ignored, [painted()], [painted(40, 40, (4, 1, 36, 41))], rng
        )
        mask = is_face(pixels)
        assert len(points) == len(boxes)
        for index, box in enumerate(boxes):
            assert box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH + 0.5 and box[3] <= HEIGHT + 0.5  # noqa: PT018
            if min(box[2:] - box[:2]) >= 10:
                assert part_of(mask, box, 0.6) > 0.9
                faces += 1
            for other in boxes[index + 1 :]:
                apart = np.maximum(box[:2], other[:2]) >= np.minimum(box[2:], other[2:])
                assert apart.any()
    assert faces > 40


def test_things_that_are_no_faces_are_put_there_too_and_nothing_of_a_face_comes_along(rng: np.random.Generator):
    photo = painted()
    photo.pixels[100:] = (90, 255, 90)  # something else below the face, and elsewhere AROUND as in the scene
    things = 0
    for _ in range(40):
        one = blank()
        pixels, boxes, _, _ = paste_faces(one.pixels, one.faces, one.landmarks, one.ignored, [photo], [], rng)
        green = (pixels == (90, 255, 90)).all(axis=-1)
        things += bool(green.any())
        for box in boxes:
            left, top, right, bottom = np.round(box).astype(int)
            assert not green[top:bottom, left:right].any()
        # Every face in the picture has its box: what was put as a thing shows none.
        outside = is_face(pixels)
        for left, top, right, bottom in np.round(boxes).astype(int):
            outside[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = False
        assert not outside.any()
    assert things > 5


def test_cloth_covers_the_mouth_and_leaves_the_eyes(rng: np.random.Generator):
    covered = 0
    for _ in range(60):
        photo = painted(120, 160, (40, 20, 120, 110))
        pixels = photo.pixels.copy()
        occlude_faces(pixels, photo.faces, photo.landmarks, rng)
        right_eye, left_eye, _, right_mouth, left_mouth = np.round(photo.landmarks[0]).astype(int)
        changed = (pixels != photo.pixels).any(axis=-1)
        mouth = all(changed[y, x] for x, y in (right_mouth, left_mouth))
        eyes = any(changed[y, x] for x, y in (right_eye, left_eye))
        covered += mouth and not eyes
    assert 4 <= covered <= 30  # MASKED is a fifth


def test_where_the_mouth_is_not_known_no_cloth_is_put(rng: np.random.Generator):
    photo = painted()
    unknown = np.full_like(photo.landmarks, np.nan)
    for _ in range(50):
        pixels = photo.pixels.copy()
        occlude_faces(pixels, photo.faces, unknown, rng)
        assert (pixels != photo.pixels).any(axis=-1).mean() < 0.1
