"""`fer-convert label-faces`: YuNet boxes the faces of photos, into the COCO file that a detector is trained from."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from rich.progress import track

from converter.detector.dataset import read_coco
from converter.detector.pseudo_labels import Teacher, restated
from converter.networks.identify import one_line
from converter.outputs import replacing
from fer_edge.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


@click.command(short_help="Box the faces in photos, with YuNet as the teacher.")
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The COCO file to write.")
@click.option(
    "--yunet", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YuNet's ONNX file."
)
@click.option(
    "--boxes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="COCO file of boxes drawn by others: they are kept, in YuNet's convention where it sees the same face. Photos "
    "with a `kind` have no faces, whatever YuNet sees. Without it: all photos in the folder.",
)
def command(photos: Path, output: Path, yunet: Path, boxes: Path | None) -> None:
    """Box the faces in PHOTOS, a folder with folders, for `fer-convert train-detector`."""
    teacher = Teacher(yunet)
    images, drawn = _drawn(boxes) if boxes else _found(photos)
    annotations: list[dict[str, Any]] = []
    for image in track(images, "boxing faces", disable=not sys.stdout.isatty()):
        pixels = cv2.imread(str(photos / image["file_name"]), cv2.IMREAD_COLOR)
        if pixels is None:
            raise UserError(f"{photos / image['file_name']}: is no picture that OpenCV reads")
        image["height"], image["width"] = pixels.shape[:2]
        entries = drawn.get(image["id"], [])
        if not image.get("kind"):
            entries = restated(entries, teacher.faces(np.asarray(pixels, np.uint8)))
        annotations += [
            entry | {"id": len(annotations) + 1 + number, "image_id": image["id"], "category_id": 1}
            for number, entry in enumerate(entries)
        ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    with replacing(output) as beside:
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
