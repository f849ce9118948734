"""Prediction from notebooks and scripts, with a network from any file that this converter reads.

    >>> model = FacialExpressionModel("nano.tflite")
    >>> model.predict(cv2.imread("face.png")).label
    'happy'

The picture is the face itself, cropped as in FER-2013; finding faces in photos is the daemon's work (`fer-edge video`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.networks.identify import identify
from converter.networks.layout import RANGES, Scaling, output_kind, parse_labels
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.types import Scores
from fer_edge.vision.classifier import calibrated, load_classifier
from fer_edge.vision.preprocess import Grey, resized

Picture = NDArray[np.uint8]  # (h, w) or (h, w, 1) grey, (h, w, 3) BGR as OpenCV reads it; any size
COLOUR = 3  # channels


class Prediction(NamedTuple):
    """Scores of one face."""

    label: str  # one of fer_edge.emotions.EMOTIONS
    scores: Scores  # (7,) float32 in the order of fer_edge.emotions.EMOTIONS, sums to 1

    @property
    def confidence(self) -> float:
        """The probability of the label, 0 to 1."""
        return float(self.scores.max())

    def __str__(self) -> str:
        return f"{self.label} ({self.confidence:.0%})"


class FacialExpressionModel:
    """An expression network. Not thread-safe.

    ``model`` is a TFLite file with its card, a `.keras` file, a whole-model HDF5 file, a SavedModel folder, or a JSON
    architecture with its ``weights`` in HDF5. A card knows the class order and the scaling of pixels; Keras files do
    not, and a wrong guess costs up to 20 points without a word, so for them ``labels`` (a name such as "fer2013" or
    "alphabetical", or seven names) and ``pixel_range`` ("-1,1", "0,1" or "0,255") must be given.
    `fer-convert quantize` finds both. Raises UserError, one line, for whatever is wrong with a file.
    """

    description: str
    """Card and runtime of the loaded network."""

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | None = None,
        *,
        labels: str | Sequence[str] | None = None,
        pixel_range: str | None = None,
    ) -> None:
        path = Path(model)
        if path.suffix.lower() == ".tflite":
            if weights or labels or pixel_range:
                raise UserError(
                    f"{path}: its card has the class order and the pixel scaling; leave weights, labels and range out"
                )
            self._ask, self.description = _tflite(path)
            return
        if labels is None or pixel_range is None:
            raise UserError(
                f"{path}: does not record its class order and pixel scaling; give labels and pixel_range, "
                "or convert it with `fer-convert quantize`, which finds them"
            )
        if pixel_range not in RANGES:
            raise UserError(f"pixel_range must be one of {', '.join(RANGES)}, got {pixel_range!r}")
        order = parse_labels(labels if isinstance(labels, str) else ",".join(labels))
        self._ask, self.description = _keras(path, Path(weights) if weights else None, order, RANGES[pixel_range])

    def predict(self, picture: Picture) -> Prediction:
        """Predict the expression of the face in ``picture``."""
        return self.predict_all([picture])[0]

    def predict_all(self, pictures: Sequence[Picture] | NDArray[np.uint8]) -> list[Prediction]:
        """Predict each of ``pictures``: a sequence, or one array with the pictures along its first axis.

        Raises ValueError for a picture that is not uint8, is empty or not of a picture's shape, and for None, which
        cv2.imread gives for a file that is missing.
        """
        if not len(pictures):
            return []
        scores = self._ask([_grey(picture) for picture in pictures])
        return [Prediction(EMOTIONS[int(row.argmax())], row) for row in scores]


def _tflite(path: Path) -> tuple[Callable[[list[Grey]], NDArray[np.float32]], str]:
    classifier = load_classifier(path)
    size = classifier.card.input

    def infer(faces: list[Grey]) -> NDArray[np.float32]:
        return np.stack([classifier.scores(resized(face, size.height, size.width)) for face in faces])

    return infer, f"TFLite file, run by {classifier.interpreter.runtime}"


def _keras(
    path: Path, weights: Path | None, labels: tuple[str, ...], scaling: Scaling
) -> tuple[Callable[[list[Grey]], NDArray[np.float32]], str]:
    from converter.networks.keras_model import check_classes, load

    network = load(identify(path, weights))
    check_classes(network, str(path))
    columns = [labels.index(emotion) for emotion in EMOTIONS]

    def infer(faces: list[Grey]) -> NDArray[np.float32]:
        outputs = network.infer(faces, scaling)[:, columns]
        return calibrated(outputs, output_kind(outputs), 1.0)

    return infer, network.description


def _grey(picture: object) -> Grey:
    """``picture`` as (h, w) uint8 grey."""
    if not isinstance(picture, np.ndarray):
        raise ValueError(  # noqa: TRY004  what a caller of OpenCV handles is a picture that was not read
            f"a picture is an array of uint8, got {type(picture).__name__}; cv2.imread gives None where it cannot read"
        )
    if picture.dtype != np.uint8:
        raise ValueError(f"pictures are uint8, 0 to 255, not scaled; got {picture.dtype}")
    channels = picture.shape[2] if picture.ndim == 3 else 1  # noqa: PLR2004  h, w, channels
    if not picture.size or picture.ndim not in (2, 3) or channels not in (1, COLOUR):
        raise ValueError(f"a picture is (h, w), (h, w, 1) or (h, w, 3) and not empty, got {picture.shape}")
    if channels == COLOUR:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return picture.reshape(picture.shape[:2])
