"""The card of a face detector: `<model>.json` beside `<model>.tflite`, as expression networks have one (card.py)."""

from pathlib import Path
from typing import Any

from msgspec import Struct, field

from fer_edge.errors import ModelError
from fer_edge.vision.box_decoding import CHANNELS, STRIDE
from fer_edge.vision.interpreter import Runner
from fer_edge.vision.model_card import DETECTOR, SCHEMA, Hash, Positive, card_path, encoded, read_card, times

CURE = "make both with `fer-convert export-detector`, or name another in detect.model"


class PixelScaling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the network is fed: (pixel - mean) / std of BGR pixels 0 to 255."""

    mean: float
    std: Positive


class DetectorCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that must be known of a detector beside its file, and where it comes from."""

    schema: int = SCHEMA
    kind: str = DETECTOR
    name: str
    sha256: Hash
    """Of the TFLite file."""
    input: PixelScaling
    score_offset: float = 0.0
    """A face's score is sigmoid(logit + score_offset); so `detect.score` means much the same for every detector."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """By set of photos: what was measured."""
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    notes: str = ""


def load_detector_card(model: Path) -> DetectorCard:
    """The card beside ``model``; ModelError with one line where it is absent, broken, or of another kind of network."""
    card = read_card(model, DetectorCard, DETECTOR, CURE)
    if card.kind != DETECTOR:
        raise ModelError(f"{card_path(model)}: describes a network of kind {card.kind!r}, not a {DETECTOR}: {CURE}")
    return card


def save_detector_card(card: DetectorCard, model: Path) -> Path:
    """Write ``card`` beside ``model``; gives the card's path."""
    path = card_path(model)
    path.write_bytes(encoded(card))
    return path


def verify_detector(runner: Runner, model: Path) -> None:
    """Raise ModelError where the network does not take BGR pictures or does not give five numbers a cell.

    Its picture must have some size already, with sides that are multiples of the cells'.
    """
    takes, gives = runner.input.shape, runner.output.shape
    if len(takes) == 4 and takes[3] == 3 and gives == (1, takes[1] // STRIDE, takes[2] // STRIDE, CHANNELS):  # noqa: PLR2004
        return
    raise ModelError(
        f"{model}: takes {times(takes)} and gives {times(gives)}, a detector of faces takes pictures and gives"
        f" {CHANNELS} numbers for each {STRIDE}x{STRIDE} pixels: {CURE}"
    )
