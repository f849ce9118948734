"""TFLite files run by the edge's own classifier on labelled faces, and the scores in their cards."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from converter.networks.calibration import fit_temperature
from converter.networks.layout import as_logits
from converter.networks.metrics import Floats, Labels, Measured, agreement, measure
from fer_edge.vision.classifier import Classifier, calibrated
from fer_edge.vision.model_card import ModelCard
from fer_edge.vision.preprocess import resized

FIGURES = 4  # decimals of a fraction in a card: a tenth of a face in 3,589

Faces = NDArray[np.uint8]  # (n, 48, 48) grey


def run_tflite(classifier: Classifier, faces: Faces) -> NDArray[np.float32]:
    """Return the outputs (n, 7) for ``faces`` in the order of `EMOTIONS`, before calibration."""
    shape = classifier.card.input
    return np.stack([classifier.raw(resized(face, shape.height, shape.width)) for face in faces])


def calibrated_card(
    card: ModelCard, raw: Floats, truth: Labels, split: str, original: Floats | None = None
) -> ModelCard:
    """``card`` with the temperature that fits ``raw`` (n, 7) to ``truth`` (n,), and its scores on these, the ``split``.

    ``original`` (n, 7) are the probabilities of the network that the file was made from; its scores are noted beside.
    """
    temperature = round(fit_temperature(as_logits(raw, card.output), truth), FIGURES)
    before = measure(calibrated(raw, card.output, 1.0), truth)
    after = measure(calibrated(raw, card.output, temperature), truth)
    scores = _figures(after) | {"ece_before_temperature": round(before.ece, FIGURES)}
    if original is not None:
        scores |= {f"original_{key}": value for key, value in _figures(measure(original, truth)).items()}
        del scores["original_faces"]
        scores["agreement_with_original"] = round(agreement(raw, original), FIGURES)
    return replace(card, temperature=temperature, scores={**card.scores, split: scores})


def operations(content: bytes) -> Counter[str]:
    """Count the operations of a TFLite file by kind, as stored: before a delegate replaces any."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain)
    details: Callable[[], list[dict[str, str]]] = interpreter._get_ops_details  # noqa: SLF001  no public way exists
    return Counter(operation["op_name"] for operation in details())


def _figures(measured: Measured) -> dict[str, float]:
    return {
        "faces": measured.faces,
        "top1": round(measured.top1, FIGURES),
        "macro_f1": round(measured.macro_f1, FIGURES),
        "ece": round(measured.ece, FIGURES),
        "log_loss": round(measured.log_loss, FIGURES),
    }
