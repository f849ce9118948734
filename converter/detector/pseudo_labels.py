"""`fer-convert label-faces`: YuNet's boxes as labels for photos, in a COCO file.

They are the labels where nobody drew any, and replace boxes that were drawn to another convention. The detector's
definition of a face is the head from the middle of the forehead to the chin, ear to ear, as in YuNet and WIDER FACE. A
rectangle round 68 landmarks is 7% wider and 7% lower and lies deeper.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from converter.detector.dataset import read_coco, read_photo
from converter.networks.identify import one_line
from fer_edge.errors import UserError
from fer_edge.files import atomic_output

SURE, UNSURE = 0.7, 0.3  # scores: a face from the one; what lies between them is ignored
SAME_IOU = 0.4  # a box that is drawn and one of the teacher's that overlap by as much are of the same face
NMS_IOU, MOST = 0.3, 200
LARGEST_PX = 640  # longer side to which the teacher's picture is reduced; it was trained up to there

Entry = dict[str, Any]  # a COCO annotation
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class YuNetLabeller:
    """A YuNet ONNX file. Not thread-safe; who makes it owns it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), UNSURE, NMS_IOU, MOST)
        except cv2.error as error:
            raise UserError(f"{path}: is not a YuNet model that OpenCV {cv2.__version__} runs") from error

    def faces(self, image: NDArray[np.uint8]) -> list[Entry]:
        """Detect faces in (h, w, 3) BGR: `bbox`, `landmarks5`, `score`, and `ignore` below `SURE`."""
        scale = min(1.0, LARGEST_PX / max(image.shape[:2]))
        picture = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        self._network.setInputSize((picture.shape[1], picture.shape[0]))
        found = self._network.detect(picture)[1]
        rows = np.zeros((0, 15)) if found is None else found.astype(np.float64)
        # In a picture of one grey YuNet 2023 found faces of infinite size; a face has its middle in the picture.
        height, width = picture.shape[:2]
        with np.errstate(invalid="ignore"):
            middle = rows[:, :2] + rows[:, 2:4] / 2
        there = np.isfinite(rows).all(axis=1) & (middle > 0).all(axis=1) & (middle < [width, height]).all(axis=1)
        return [_entry(row / scale, float(row[-1])) for row in rows[there]]


def merge_labels(drawn: list[Entry], seen: list[Entry]) -> list[Entry]:
    """Annotations ``drawn`` by others with YuNet's boxes where both are of the same face, and the others of ``seen``.

    A drawn face that YuNet misses is kept. A face that only YuNet finds is added.
    """
    kept, left = [], list(seen)
    for entry in drawn:
        same = max(left, key=lambda other: _iou(entry["bbox"], other["bbox"]), default=None)
        if same is None or _iou(entry["bbox"], same["bbox"]) < SAME_IOU:
            kept.append(entry)
            continue
        left.remove(same)
        kept.append(entry | {"bbox": same["bbox"], "landmarks5": same["landmarks5"]})
    return kept + left


def _entry(row: NDArray[np.float64], score: float) -> Entry:
    numbers = [round(float(number), 1) for number in row[:14]]
    return {
        "bbox": numbers[:4],
        "landmarks5": numbers[4:],
        "score": round(score, 3),
        "ignore": score < SURE,
        "source": "teacher",
    }


def _iou(a: list[float], b: list[float]) -> float:
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(w, 0.0) * max(h, 0.0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared) if shared else 0.0


@click.command(short_help="Box the faces in photos, with YuNet as the teacher.")
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The COCO file to write.")
@click.option(
    "--yunet", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YuNet's ONNX file."
)
@click.option(
    "--boxes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="COCO file of boxes drawn by others: they are kept, in YuNet's convention where it finds the same face. "
    "Photos with a `kind` have no faces, whatever YuNet finds. Without it: all photos in the folder.",
)
def command(photos: Path, output: Path, yunet: Path, boxes: Path | None) -> None:
    """Box the faces in PHOTOS, a folder with folders, for `fer-convert train-detector`."""
    teacher = YuNetLabeller(yunet)
    images, drawn = _drawn(boxes) if boxes else _found(photos)
    annotations: list[dict[str, Any]] = []
    for image in track(images, "boxing faces", disable=not sys.stdout.isatty()):
        pixels = read_photo(photos / image["file_name"])
        image["height"], image["width"] = pixels.shape[:2]
        entries = drawn.get(image["id"], [])
        if not image.get("kind"):
            entries = merge_labels(entries, teacher.faces(pixels))
        annotations += [
            entry | {"id": len(annotations) + 1 + number, "image_id": image["id"], "category_id": 1}
            for number, entry in enumerate(entries)
        ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    with atomic_output(output) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")
    counts = Counter("ignored" if entry.get("ignore") else "faces" for entry in annotations)
    click.echo(f"{output}: {len(images):,} photos, {counts['faces']:,} faces, {counts['ignored']:,} ignored boxes")


def _found(photos: Path) -> tuple[list[dict[str, Any]], dict[int, list[dict[str, Any]]]]:
    files = sorted(path for path in photos.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{photos}: has no pictures ({', '.join(sorted(SUFFIXES))})")
    names = [path.relative_to(photos).as_posix() for path in files]
    return [{"id": number, "file_name": name, "set": photos.name} for number, name in enumerate(names, 1)], {}


def _drawn(boxes: Path) -> tuple[list[dict[str, Any]], dict[int, list[dict[str, Any]]]]:
    try:
        content = read_coco(boxes)
        drawn: dict[int, list[dict[str, Any]]] = {}
        for entry in content["annotations"]:
            drawn.setdefault(entry["image_id"], []).append(entry)
        return content["images"], drawn
    except (KeyError, TypeError) as error:
        raise UserError(f"{boxes}: is no COCO file with boxes of faces: {one_line(error)}") from error
