r"""Detectors on photos: average precision, and recall at low rates of false faces.

The COCO API (pycocotools) matches and counts, at an overlap of 0.5. Boxes marked `ignore`, and those whose
shorter side is below --least pixels of the photo, count neither way.

    python benchmarks/detection.py --photos detection/evaluation.json --images detection/images \\
        haar:320 haar1.1:320 yunet_s_320_320.onnx:160 face.tflite:160 face.tflite:320

A detector is given as kind:width: haar (the daemon's), haar1.1 (slow and thorough), a .tflite file of
`fer-convert export-detector`, or YuNet's .onnx file; the width is that of its input. The last column counts all boxes
at the daemon's default score.
"""

import contextlib
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from crop_margin import detect_settings
from msgspec.structs import replace
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.console import Console
from rich.table import Table

from fer_edge.config.model import DetectSettings
from fer_edge.types import Box, Detection, Image
from fer_edge.vision.detector import Detector, make_detector
from fer_edge.vision.haar import CASCADE
from fer_edge.vision.preprocess import Crop, reduced, reduced_size

IOU = 0.5
LEAST_SCORE = 0.02  # below, no detector has one true face for a hundred false ones
FALSE_PER_100 = (0, 1, 10)


class ThoroughHaar:
    """OpenCV's cascade with small steps, as `fer` uses it; the score is the cascade's last sum."""

    crop = Crop(1.0, 0.0)

    def __init__(self, width: int) -> None:
        self.name = "haar 1.1/5"
        self._width = width
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / CASCADE))

    def detect(self, image: Image) -> tuple[Detection, ...]:
        height, width = image.shape[:2]
        size = reduced_size(width, height, self._width)
        grey = cv2.cvtColor(reduced(image, size), cv2.COLOR_BGR2GRAY)
        boxes, _, weights = self._cascade.detectMultiScale3(grey, 1.1, 5, outputRejectLevels=True)
        sx, sy = width / size[0], height / size[1]
        return tuple(
            Detection(Box(*map(float, box)).scaled(sx, sy), float(weight))
            for box, weight in zip(boxes, np.ravel(weights), strict=True)
        )


def detector_of(named: str, score: float) -> Detector:
    """Return the detector of `kind:width`."""
    what, _, text = named.rpartition(":")
    if not text.isdigit():
        raise click.UsageError(f"{named}: must be KIND:WIDTH, with the width in pixels")
    if what == "haar1.1":
        return ThoroughHaar(int(text))
    width = int(text)
    return make_detector(replace(detect_settings(what, width), score=score))


def truth_by_set(photos: Path, least_px: float) -> dict[str, dict[str, Any]]:
    """Return COCO contents of each set of photos; boxes that count neither way have `iscrowd`."""
    content = json.loads(photos.read_bytes())
    parts: dict[str, dict[str, Any]] = defaultdict(lambda: {"images": [], "annotations": []})
    name_of = {}
    for image in content["images"]:
        name_of[image["id"]] = image["set"]
        parts[image["set"]]["images"].append(image)
    for entry in content["annotations"]:
        ignored = bool(entry.get("ignore")) or min(entry["bbox"][2:]) < least_px
        parts[name_of[entry["image_id"]]]["annotations"].append(entry | {"iscrowd": int(ignored)})
    return {name: part | {"categories": content["categories"]} for name, part in sorted(parts.items())}


def measured(part: dict[str, Any], found: dict[int, tuple[Detection, ...]]) -> tuple[int, float, list[float]]:
    """Return (faces, average precision, recall at each of FALSE_PER_100) of ``found`` boxes by image."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints each step
        truth = COCO()
        truth.dataset = part
        truth.createIndex()
        entries = [
            {"image_id": image, "category_id": 1, "bbox": list(face.box), "score": face.score}
            for image, faces in found.items()
            for face in faces
        ]
        judge = COCOeval(truth, truth.loadRes(entries) if entries else COCO(), "bbox")
        judge.params.iouThrs, judge.params.areaRng, judge.params.areaRngLbl = np.array([IOU]), [[0, 1e10]], ["all"]
        judge.params.maxDets = [200]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    average = float(precision[precision > -1].mean()) if (precision > -1).any() else float("nan")
    return faces_of(judge), average, recalls(judge, len(part["images"]))


def faces_of(judge: Any) -> int:
    """Return the number of faces that count."""
    return sum(int((np.asarray(one["gtIgnore"]) == 0).sum()) for one in judge.evalImgs if one)


def recalls(judge: Any, images: int) -> list[float]:
    """Return the highest recall with at most each of FALSE_PER_100 false faces in a hundred photos."""
    judged = [one for one in judge.evalImgs if one]
    scores = np.concatenate([one["dtScores"] for one in judged] or [np.empty(0)])
    counts = ~np.concatenate([one["dtIgnore"][0].astype(bool) for one in judged] or [np.empty(0, bool)])
    right = np.concatenate([one["dtMatches"][0] > 0 for one in judged] or [np.empty(0, bool)])
    order = np.argsort(-scores, kind="stable")
    right, wrong = (right & counts)[order], (~right & counts)[order]
    hits, misses = np.cumsum(right), np.cumsum(wrong)
    # Of equal scores all or none: a threshold cannot separate them.
    ends: NDArray[np.bool_] = np.append(np.diff(scores[order]) != 0, True) if len(order) else np.empty(0, bool)
    faces = max(1, faces_of(judge))
    return [float(hits[ends & (misses <= limit * images / 100)].max(initial=0)) / faces for limit in FALSE_PER_100]


@click.command(help=__doc__)
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True, help="COCO file")
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True, help="folder of its file names")
@click.option("--least", default=20.0, show_default=True, help="shorter side of the smallest face that counts, pixels")
@click.option("--sets", default="", help="sets of photos, comma-separated; default: all")
@click.argument("detectors", nargs=-1, required=True)
def main(photos: Path, images: Path, least: float, sets: str, detectors: tuple[str, ...]) -> None:
    parts = truth_by_set(photos, least)
    finders = {named: detector_of(named, LEAST_SCORE) for named in detectors}
    for name, part in parts.items():
        if sets and name not in sets.split(","):
            continue
        found: dict[str, dict[int, tuple[Detection, ...]]] = {named: {} for named in detectors}
        for image in part["images"]:
            pixels = np.asarray(cv2.imread(str(images / image["file_name"]), cv2.IMREAD_COLOR), np.uint8)
            for named, finder in finders.items():
                found[named][image["id"]] = finder.detect(pixels)
        rows = {named: measured(part, found[named]) for named in detectors}
        table = Table(title=f"{name}: {len(part['images'])} photos, {next(iter(rows.values()))[0]} faces")
        for heading in ("", "AP at IoU 0.5", *(f"recall at {limit}" for limit in FALSE_PER_100), "boxes at 0.7"):
            table.add_column(heading, justify="right" if heading else "left")
        for named, (_, average, recall) in rows.items():
            usual = sum(face.score >= DetectSettings().score for faces in found[named].values() for face in faces)
            table.add_row(Path(named).name, f"{average:.1%}", *(f"{one:.1%}" for one in recall), str(usual))
        Console().print(table)


if __name__ == "__main__":
    main()
