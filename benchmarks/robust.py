"""Robustness of expression networks to rotation, shift, blur, darkness, noise, compression, occlusion and size.

Every face of PublicTest is degraded in each way, the same for every network, and classified as in the daemon. The loss
is in points of top-1 against the original faces; the last row is the mean.

    python benchmarks/robust.py --data fer2013 fer_edge/models/fer-nano.tflite mini_XCEPTION_int8.tflite
"""

from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from converter.data.faces import PUBLIC
from converter.data.fer2013 import read_faces
from fer_edge.vision.classifier import Classifier, load_classifier
from fer_edge.vision.preprocess import Grey, resized

SEED = 2013
EYES, MOUTH = (0.25, 0.5), (0.63, 0.9)  # rows of a FER-2013 face, as fractions of its height


def moved(face: Grey, turn_deg: float = 0.0, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> Grey:
    """Return the face rotated about the centre, scaled, and shifted by fractions of the width."""
    height, width = face.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn_deg, scale)
    matrix[:, 2] += (dx * width, dy * height)
    border = cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.warpAffine(face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8
    )


def rotated(face: Grey, rng: Generator) -> Grey:
    """Rotate by 10 to 20° either way."""
    return moved(face, turn_deg=rng.choice((-1, 1)) * rng.uniform(10, 20))


def shifted(face: Grey, rng: Generator) -> Grey:
    """Shift by up to a tenth of the width along each axis, like the jitter of a detector's box."""
    dx, dy = rng.uniform(-0.1, 0.1, 2)
    return moved(face, dx=dx, dy=dy)


def scaled(face: Grey, rng: Generator) -> Grey:
    """Scale by up to 15% either way."""
    return moved(face, scale=rng.uniform(0.85, 1.15))


def blurred(face: Grey, rng: Generator) -> Grey:
    """Blur with a Gaussian of sigma 1 to 2 px."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), rng.uniform(1.0, 2.0)), np.uint8)


def dark(face: Grey, rng: Generator) -> Grey:
    """Darken to a fifth to a half of the brightness."""
    return np.asarray(np.rint(face * rng.uniform(0.2, 0.5)), np.uint8)


def noisy(face: Grey, rng: Generator) -> Grey:
    """Add sensor noise of sigma 8 to 20 grey levels."""
    return np.asarray(np.clip(np.rint(face + rng.normal(0, rng.uniform(8, 20), face.shape)), 0, 255), np.uint8)


def compressed(face: Grey, rng: Generator) -> Grey:
    """Compress as JPEG of quality 10 to 30."""
    _, coded = cv2.imencode(".jpg", face, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(10, 31))))
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def covered(rows: tuple[float, float]) -> Callable[[Grey, Generator], Grey]:
    """Cover a band over the whole width with one grey, like glasses, a hand or a scarf."""

    def cover(face: Grey, rng: Generator) -> Grey:
        top, bottom = (round(row * len(face)) for row in rows)
        hidden = face.copy()
        hidden[top:bottom] = rng.integers(0, 256)
        return hidden

    return cover


def small(face: Grey, rng: Generator) -> Grey:
    """Reduce to 24 to 32 px and enlarge as the daemon's crop does."""
    side = int(rng.integers(24, 33))
    reduced = np.asarray(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return resized(reduced, *face.shape)


DEGRADATIONS: dict[str, Callable[[Grey, Generator], Grey]] = {
    "rotated, 10 to 20°": rotated,
    "shifted, up to 10%": shifted,
    "scaled, up to 15%": scaled,
    "blurred, sigma 1 to 2 px": blurred,
    "dark, 20 to 50% of the brightness": dark,
    "noisy, sigma 8 to 20": noisy,
    "JPEG, quality 10 to 30": compressed,
    "eyes covered": covered(EYES),
    "mouth covered": covered(MOUTH),
    "small, 24 to 32 px": small,
}


def top1(classifier: Classifier, faces: list[Grey], labels: NDArray[np.integer]) -> float:
    """Return the accuracy, 0 to 1."""
    size = classifier.card.input
    answers = [int(classifier.scores(resized(face, size.height, size.width)).argmax()) for face in faces]
    return float(np.mean(np.array(answers) == labels))


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="FER-2013 in any form")
@click.option("--every", default=1, show_default=True, help="use every n-th face")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(data: Path, every: int, models: tuple[Path, ...]) -> None:
    split = read_faces(data).split(PUBLIC)
    images, labels = list(split.images[::every]), split.labels[::every]
    classifiers = [load_classifier(model) for model in models]
    whole = [top1(classifier, images, labels) for classifier in classifiers]
    table = Table(title=f"{PUBLIC}, {len(images)} faces: points of top-1 lost")
    for heading in ("", *(model.stem for model in models)):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("original: top-1", *(f"{value:.2%}" for value in whole), end_section=True)
    losses = []
    console = Console()
    for name, degrade in track(
        DEGRADATIONS.items(), "degrading faces", console=console, disable=not console.is_terminal
    ):
        rng = np.random.default_rng(SEED)
        degraded = [degrade(face, rng) for face in images]
        lost = [before - top1(one, degraded, labels) for one, before in zip(classifiers, whole, strict=True)]
        losses.append(lost)
        table.add_row(name, *(f"{100 * value:.1f}" for value in lost))
    table.add_section()
    table.add_row("mean", *(f"{100 * value:.1f}" for value in np.mean(losses, axis=0)))
    console.print(table)


if __name__ == "__main__":
    main()
