"""Crop around a detector's box: accuracy of the expression network over a grid of scales and offsets.

Photos, one folder for each expression, go through a detector and then through every crop of the grid. The largest face
of a photo counts; a photo without a face is left out. The best crop becomes the detector's CROP. A wrong margin is
costly: the most used package in this field loses 16 points by 10 pixels.

    python benchmarks/crop_margin.py --model NET.tflite --photos press --detector haar
    python benchmarks/crop_margin.py --model NET.tflite --photos press --detector yunet_s_320_320.onnx --width 160
"""

from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from fer_edge.config.model import DetectSettings
from fer_edge.emotions import EMOTIONS, canonical
from fer_edge.types import Box, Image
from fer_edge.vision.classifier import Classifier, load_classifier
from fer_edge.vision.detector import Detector, make_detector
from fer_edge.vision.preprocess import Crop, face_pixels, face_region

LEAST_PHOTOS = 100  # expressions with fewer are left out: in a mean over classes their noise would decide


@dataclass(frozen=True)
class Portrait:
    """Main face of a photo and its label."""

    photo: Image
    box: Box  # pixels
    emotion: int  # index in EMOTIONS


def labelled_photos(folder: Path, every: int) -> list[tuple[Path, int]]:
    """Return (file, index in EMOTIONS) of every n-th photo of each expression with enough photos."""
    found = []
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        emotion = canonical(sub.name)
        files = sorted(path for path in sub.iterdir() if path.is_file())
        if emotion is not None and len(files) >= LEAST_PHOTOS:
            found += [(file, EMOTIONS.index(emotion)) for file in files[::every]]
    return found


def portraits(photos: list[tuple[Path, int]], detector: Detector) -> list[Portrait]:
    """Return the largest face of each photo in which the detector finds one."""
    found = []
    for file, emotion in photos:
        photo = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if photo is None:
            raise click.ClickException(f"{file}: not an image that OpenCV can read")
        faces = detector.detect(np.asarray(photo, np.uint8))
        if faces:
            largest = max(faces, key=lambda face: face.box.w * face.box.h)
            found.append(Portrait(np.asarray(photo, np.uint8), largest.box, emotion))
    return found


def balanced_accuracy(faces: list[Portrait], classifier: Classifier, crop: Crop) -> float:
    """Return the mean over the expressions of the share of correct photos, 0 to 1."""
    size = classifier.card.input
    hits: dict[int, list[bool]] = {}
    for face in faces:
        pixels = face_pixels(face.photo, face_region(face.box, crop), size.height, size.width)
        hits.setdefault(face.emotion, []).append(int(classifier.scores(pixels).argmax()) == face.emotion)
    return float(np.mean([np.mean(one) for one in hits.values()]))


def detect_settings(detector: str, width: int) -> DetectSettings:
    """Return settings for `haar`, for YuNet's .onnx file, or for a .tflite file of `fer-convert export-detector`."""
    if detector == "haar":
        return DetectSettings(backend="haar", width=width)
    return DetectSettings(backend="yunet" if detector.endswith(".onnx") else "own", model=detector, width=width)


@click.command(help=__doc__)
@click.option("--model", type=click.Path(path_type=Path), required=True, help="TFLite network with its card beside it")
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True, help="folder = expression")
@click.option("--detector", required=True, help="haar, a YuNet .onnx file, or a detector's .tflite file")
@click.option("--width", default=320, show_default=True, help="width that photos are reduced to for detection")
@click.option(
    "--scales", default="0.8,0.9,1.0,1.1,1.2,1.3", show_default=True, help="sides as multiples of the box's longer side"
)
@click.option(
    "--dys", default="-0.1,-0.05,0,0.05,0.1", show_default=True, help="offsets of the centre below the box's, in sides"
)
@click.option("--every", default=1, show_default=True, help="use every n-th photo")
def main(model: Path, photos: Path, detector: str, width: int, scales: str, dys: str, every: int) -> None:  # noqa: PLR0913, PLR0917
    classifier = load_classifier(model)
    finder = make_detector(detect_settings(detector, width))
    labelled = labelled_photos(photos, every)
    faces = portraits(labelled, finder)
    print(f"{finder.name} on {width} wide, {classifier.card.name}: {len(faces)} faces in {len(labelled)} photos")
    print("scale \\ dy " + "".join(f"{dy:>7}" for dy in dys.split(",")))
    for scale in map(float, scales.split(",")):
        row = [balanced_accuracy(faces, classifier, Crop(scale, float(dy))) for dy in dys.split(",")]
        print(f"{scale:10.2f} " + "".join(f"{100 * value:7.1f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
