"""Expression networks outside FER-2013: photos through the daemon's own detector and crop.

Photos are in one folder for each expression; the largest face of each counts. The labels, made by students, are noisy:
the figures compare networks only. The second figure has three classes that people confuse less: happy, surprise, other.

    python benchmarks/wild.py --photos press --detector haar fer_edge/models/fer-nano.tflite mini_XCEPTION_int8.tflite
"""

from pathlib import Path

import click
import numpy as np
from crop_margin import Portrait, detect_settings, labelled_photos, portraits
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from fer_edge.emotions import EMOTIONS
from fer_edge.vision.classifier import Classifier, load_classifier
from fer_edge.vision.detector import make_detector
from fer_edge.vision.preprocess import Crop, face_pixels, face_region

CLEAN = ("happy", "surprise")  # the rest is one class


def answers(faces: list[Portrait], classifier: Classifier, crop: Crop) -> NDArray[np.int64]:
    """Return (n,) indices in EMOTIONS of the network's answers."""
    size = classifier.card.input
    regions = (face_pixels(face.photo, face_region(face.box, crop), size.height, size.width) for face in faces)
    return np.array([int(classifier.scores(pixels).argmax()) for pixels in regions])


def balanced_accuracy(truth: NDArray[np.int64], answered: NDArray[np.int64]) -> float:
    """Return the mean recall over the classes, 0 to 1."""
    return float(np.mean([(answered[truth == one] == one).mean() for one in np.unique(truth)]))


def merged(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the classes with all but the CLEAN ones merged."""
    kept = [EMOTIONS.index(name) for name in CLEAN]
    return np.where(np.isin(classes, kept), classes, -1)


@click.command(help=__doc__)
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True, help="folder = expression")
@click.option("--detector", required=True, help="haar, a YuNet .onnx file, or a detector's .tflite file")
@click.option("--width", default=320, show_default=True, help="width that photos are reduced to for detection")
@click.option("--every", default=1, show_default=True, help="use every n-th photo")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(photos: Path, detector: str, width: int, every: int, models: tuple[Path, ...]) -> None:
    finder = make_detector(detect_settings(detector, width))
    labelled = labelled_photos(photos, every)
    faces = portraits(labelled, finder)
    truth = np.array([face.emotion for face in faces])
    counts = ", ".join(f"{EMOTIONS[one]} {(truth == one).sum()}" for one in np.unique(truth))
    table = Table(title=f"{finder.name} on {width} wide: {len(faces)} faces in {len(labelled)} photos ({counts})")
    for heading in ("", "balanced accuracy", "happy, surprise or other", "accuracy"):
        table.add_column(heading, justify="right" if heading else "left")
    for model in models:
        answered = answers(faces, load_classifier(model), finder.crop)
        shares = (balanced_accuracy(truth, answered), balanced_accuracy(merged(truth), merged(answered)))
        table.add_row(model.stem, *(f"{share:.1%}" for share in (*shares, float((truth == answered).mean()))))
    Console().print(table)


if __name__ == "__main__":
    main()
