"""Boxes of a face: drawn by people, found by YuNet, or merged in one convention."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.detector.pseudo_labels import YuNetLabeller, merge_labels
from fer_edge.errors import UserError

DRAWN = {"bbox": [10.0, 10.0, 20.0, 20.0], "source": "landmarks"}


def seen(*bbox: float, **more) -> dict:
    return {"bbox": list(bbox), "landmarks5": [1.0] * 10, "score": 0.9, "ignore": False, "source": "teacher"} | more


def test_a_drawn_face_that_the_teacher_sees_gets_its_box_and_landmarks_and_stays_one():
    (face,) = merge_labels([DRAWN], [seen(11, 9, 18, 22)])
    assert face["bbox"] == [11, 9, 18, 22]
    assert face["landmarks5"] == [1.0] * 10
    assert face["source"] == "landmarks"


def test_a_drawn_face_that_the_teacher_misses_stays_as_it_is():
    assert merge_labels([DRAWN], []) == [DRAWN]
    elsewhere = seen(60, 60, 20, 20, ignore=True)
    assert merge_labels([DRAWN], [elsewhere]) == [DRAWN, elsewhere]


def test_two_drawn_faces_do_not_share_one_of_the_teachers():
    other = DRAWN | {"bbox": [12.0, 10.0, 20.0, 20.0]}
    faces = merge_labels([DRAWN, other], [seen(11, 10, 20, 20)])
    assert len(faces) == 2
    assert faces[1] == other


@pytest.fixture
def yunet(data: Path) -> Path:
    return data / "models/detector/yunet_n_320_320.onnx"


def test_the_teacher_finds_the_face_of_a_press_photo_in_its_pixels_at_any_size(yunet: Path, data: Path):
    path = next(iter(sorted((data / "expressions/press/happy").iterdir())))
    image = np.asarray(cv2.imread(str(path)), np.uint8)
    teacher = YuNetLabeller(yunet)
    (face,) = teacher.faces(image)
    assert face["score"] > 0.7
    assert not face["ignore"]
    # In twice the pixels of 640, which is the longest side that it is shown, it sees the same at twice the place.
    canvas = np.full((640, 640, 3), 128, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    (small,) = teacher.faces(canvas)
    (large,) = teacher.faces(canvas.repeat(2, axis=0).repeat(2, axis=1))
    assert large["bbox"] == pytest.approx([2 * side for side in small["bbox"]], abs=0.2)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_in_a_picture_of_one_grey_there_is_no_face_of_infinite_size(yunet: Path, grey: int):
    assert YuNetLabeller(yunet).faces(np.full((160, 160, 3), grey, np.uint8)) == []


def test_a_file_that_is_no_yunet_is_one_line(tmp_path: Path):
    (tmp_path / "net.onnx").write_bytes(b"x")
    with pytest.raises(UserError, match=r"net\.onnx: is not a YuNet"):
        YuNetLabeller(tmp_path / "net.onnx")


def test_the_command_boxes_a_folder_and_leaves_photos_of_a_kind_without_faces(
    convert, yunet: Path, data: Path, tmp_path: Path
):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, path in enumerate(sorted((data / "expressions/press/happy").iterdir())[:2]):
        (photos / f"{number}.jpg").write_bytes(path.read_bytes())
    ended = convert("label-faces", photos, "--yunet", yunet, "-o", tmp_path / "faces.json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "faces.json").read_text())
    assert [image["file_name"] for image in found["images"]] == ["0.jpg", "1.jpg"]
    assert {entry["image_id"] for entry in found["annotations"]} == {1, 2}
    found["images"][0]["kind"] = "easy"
    (tmp_path / "drawn.json").write_text(json.dumps(found | {"annotations": []}))
    ended = convert(
        "label-faces", photos, "--yunet", yunet, "--boxes", tmp_path / "drawn.json", "-o", tmp_path / "again.json"
    )
    assert ended.returncode == 0, ended.stderr
    again = json.loads((tmp_path / "again.json").read_text())
    assert {entry["image_id"] for entry in again["annotations"]} == {2}
