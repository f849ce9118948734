"""Photos and boxes as they come out of COCO files."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from converter.detector.dataset import LONGEST_PX, read_photos
from fer_edge.errors import UserError


def written(folder: Path, size: tuple[int, int], annotations: list[dict[str, Any]], **image: Any) -> Path:
    """A COCO file of one grey photo of ``size`` (height, width)."""
    cv2.imwrite(str(folder / "photo.png"), np.full((*size, 3), 99, np.uint8))
    images = [{"id": 7, "file_name": "photo.png", "set": "street", **image}]
    (folder / "faces.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
    return folder / "faces.json"


def test_boxes_are_read_as_corners_and_ignored_ones_apart(tmp_path: Path):
    drawn = [
        {"image_id": 7, "bbox": [10, 20, 30, 40], "landmarks5": list(range(10))},
        {"image_id": 7, "bbox": [1, 2, 3, 4], "ignore": True},
        {"image_id": 7, "bbox": [5, 6, 7, 8], "iscrowd": 1},
    ]
    (photo,) = read_photos(written(tmp_path, (100, 120), drawn), tmp_path)
    assert photo.pixels.shape == (100, 120, 3)
    assert photo.faces.tolist() == [[10, 20, 40, 60]]
    assert photo.landmarks[0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert photo.ignored.tolist() == [[1, 2, 4, 6], [5, 6, 12, 14]]
    assert photo.group == "street"


def test_only_a_photo_with_a_kind_is_known_to_be_empty_also_when_it_is_reduced(tmp_path: Path):
    for side in (50, 2 * LONGEST_PX):
        (unlabelled,) = read_photos(written(tmp_path, (side, side), []), tmp_path)
        (looked_at,) = read_photos(written(tmp_path, (side, side), [], kind="easy"), tmp_path)
        assert not unlabelled.known_empty
        assert looked_at.known_empty


@pytest.mark.parametrize(("target", "reason"), [("/dev/zero", "not a regular file"), ("/", "is a directory")])
def test_a_photo_that_is_no_regular_file_is_named(tmp_path: Path, target: str, reason: str):
    annotations = written(tmp_path, (20, 20), [])
    (tmp_path / "photo.png").unlink()
    (tmp_path / "photo.png").symlink_to(target)
    with pytest.raises(UserError, match=f"photo.png: cannot be read: {reason}"):
        read_photos(annotations, tmp_path)


def test_missing_landmarks_are_unknown(tmp_path: Path):
    (photo,) = read_photos(written(tmp_path, (100, 120), [{"image_id": 7, "bbox": [10, 20, 30, 40]}]), tmp_path)
    assert np.isnan(photo.landmarks).all()


def test_a_large_photo_is_reduced_with_its_boxes(tmp_path: Path):
    drawn = [{"image_id": 7, "bbox": [100, 200, 300, 400], "landmarks5": [100.0] * 10}]
    (photo,) = read_photos(written(tmp_path, (2 * LONGEST_PX, LONGEST_PX), drawn), tmp_path)
    assert photo.pixels.shape == (LONGEST_PX, LONGEST_PX // 2, 3)
    assert photo.faces.tolist() == [[50, 100, 200, 300]]
    assert (photo.landmarks == 50).all()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        r'{"images": "\ud83d"}',
        '{"images": [{"id": 1}], "annotations": [{"image_id": 2}]}',
    ],
)
def test_what_is_no_coco_file_is_one_line(tmp_path: Path, content: str):
    (tmp_path / "faces.json").write_text(content)
    with pytest.raises(UserError, match="is no COCO file") as caught:
        read_photos(tmp_path / "faces.json", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_device_in_place_of_the_file_is_one_line(tmp_path: Path):
    (tmp_path / "faces.json").symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"faces\.json: cannot be read: not a regular file$"):
        read_photos(tmp_path / "faces.json", tmp_path)


def test_a_file_without_images_is_one_line(tmp_path: Path):
    (tmp_path / "faces.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(UserError, match=r"faces\.json: names no images; leave it out or label some photos$"):
        read_photos(tmp_path / "faces.json", tmp_path)


def test_a_photo_that_is_missing_is_named(tmp_path: Path):
    path = written(tmp_path, (10, 10), [])
    (tmp_path / "photo.png").unlink()
    with pytest.raises(UserError, match=r"photo\.png: cannot be read: no such file"):
        read_photos(path, tmp_path)
