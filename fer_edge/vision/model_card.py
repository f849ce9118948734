"""Model card: `<model>.json` beside `<model>.tflite`, the metadata of a network.

Tensor shapes do not show the order of the classes or the scaling of the input, and either mistake costs tens of percent
of accuracy silently. So a network is rejected without a card that matches it.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from fer_edge.emotions import EMOTIONS, canonical
from fer_edge.errors import ModelError
from fer_edge.untrusted import DecodeError, decode_json, read_regular
from fer_edge.vision.box_decoding import CHANNELS, STRIDE
from fer_edge.vision.interpreter import Interpreter, TensorSpec

SCHEMA = 1
MAX_CARD_BYTES = 1024 * 1024  # those of this project have 4 kB
EXPRESSION, DETECTOR = "expression", "detector"  # the kinds of networks that this project runs
Positive = Annotated[float, Meta(gt=0.0)]
Side = Annotated[int, Meta(ge=8, le=1024)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
CURE = "write one with `fer-convert card`"
DETECTOR_CURE = "make both with `fer-convert export-detector`, or set detect.model to another"


class CardInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Input of the network: (pixel - mean) / std of grey pixels 0 to 255; 3 channels are the grey three times."""

    height: Side
    width: Side
    channels: Literal[1, 3] = 1
    mean: float
    std: Positive


class ModelCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Metadata and provenance of an expression network."""

    network: ClassVar[str] = EXPRESSION
    cure: ClassVar[str] = CURE
    schema: int = SCHEMA
    kind: str = EXPRESSION
    name: str
    sha256: Hash
    """Of the TFLite file."""
    labels: tuple[str, ...]
    """Class names in the network's own order."""
    input: CardInput
    output: Literal["logits", "probabilities"]
    temperature: Positive = 1.0
    """Scores are softmax(logits / temperature)."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """By split: `faces` and the measured fractions, 0 to 1."""
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    notes: str = ""

    @property
    def short_hash(self) -> str:
        """First eight digits of the file's sha256: the model's name in events."""
        return self.sha256[:8]

    @property
    def emotions(self) -> tuple[str | None, ...]:
        """The labels in this project's spelling, None for unknown ones."""
        return tuple(canonical(label) for label in self.labels)


class PixelScaling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Input of the network: (pixel - mean) / std of BGR pixels 0 to 255."""

    mean: float
    std: Positive


class DetectorCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Metadata and provenance of a face detector."""

    network: ClassVar[str] = DETECTOR
    cure: ClassVar[str] = DETECTOR_CURE
    schema: int = SCHEMA
    kind: str = DETECTOR
    name: str
    sha256: Hash
    """Of the TFLite file."""
    input: PixelScaling
    score_offset: float = 0.0
    """A face's score is sigmoid(logit + score_offset), so that `detect.score` is comparable between detectors."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """By set of photos: the measured figures."""
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    notes: str = ""


AnyCard = TypeVar("AnyCard", ModelCard, DetectorCard)


def card_path(model: Path) -> Path:
    """Path of the card of ``model``."""
    return model.with_suffix(".json")


def load_card(model: Path) -> ModelCard:
    """Load the card beside ``model``, see `read_card`; it has each of the seven expressions exactly once."""
    return read_card(model, ModelCard)


def load_detector_card(model: Path) -> DetectorCard:
    """Load the detector card beside ``model``, see `read_card`."""
    return read_card(model, DetectorCard)


def read_card(model: Path, structure: type[AnyCard]) -> AnyCard:
    """Load and check the card beside ``model``.

    Raises ModelError with one line if it is absent, broken, or of another kind of network.
    """
    path = card_path(model)
    try:
        text = read_regular(path, MAX_CARD_BYTES)
    except FileNotFoundError:
        raise ModelError(f"{model}: has no card {path.name} beside it: {structure.cure}") from None
    except OSError as error:
        raise ModelError(f"{path}: the model card cannot be read: {error.strerror or error}") from error
    return _decoded(text, path, structure)


def save_card(card: ModelCard | DetectorCard, model: Path) -> Path:
    """Write ``card`` beside ``model``, checked as in `read_card`; return its path."""
    path = card_path(model)
    text = encoded(card)
    if isinstance(card, ModelCard):
        _decoded(text, path, ModelCard)
    else:
        _decoded(text, path, DetectorCard)
    path.write_bytes(text)
    return path


def encoded(card: Struct) -> bytes:
    """File content of a card."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n"


def sha256_of(model: bytes) -> str:
    """Lower-case hexadecimal digest of a model file's content."""
    return hashlib.sha256(model).hexdigest()


def verify_file(card: ModelCard | DetectorCard, content: bytes, model: Path) -> None:
    """Raise ModelError if ``content``, the bytes of ``model``, is not the file of the card."""
    actual = sha256_of(content)
    if actual != card.sha256:
        raise ModelError(
            f"{model}: is not the file that {card_path(model).name} describes (sha256 {actual[:8]}..., card says"
            f" {card.sha256[:8]}...): copy both files again, or {card.cure}"
        )


def verify(card: ModelCard, interpreter: Interpreter, model: Path) -> None:
    """Raise ModelError if the network's input or output differs from its card."""
    cure = f"correct {card_path(model).name}, or write a new card with `fer-convert card`"
    classes = _classes(interpreter.output)
    if classes != len(EMOTIONS):
        raise ModelError(
            f"{model}: has {_shown(interpreter.output)}, not the {len(EMOTIONS)} expressions:"
            " it is not an expression network, set classify.model to another"
        )
    wanted = (1, card.input.height, card.input.width, card.input.channels)
    if interpreter.input.shape != wanted:
        shape = shape_text(interpreter.input.shape)
        raise ModelError(f"{model}: has an input of {shape}, its card states {shape_text(wanted)}: {cure}")


def verify_detector(interpreter: Interpreter, model: Path) -> None:
    """Raise ModelError if the input is not a BGR image or the output not five numbers per cell.

    The input must have a fixed initial size whose sides are multiples of STRIDE.
    """
    takes, gives = interpreter.input.shape, interpreter.output.shape
    if len(takes) == 4 and takes[3] == 3 and gives == (1, takes[1] // STRIDE, takes[2] // STRIDE, CHANNELS):  # noqa: PLR2004
        return
    raise ModelError(
        f"{model}: input {shape_text(takes)}, output {shape_text(gives)}; a face detector takes a BGR image and has"
        f" {CHANNELS} numbers for each {STRIDE}x{STRIDE} pixels: {DETECTOR_CURE}"
    )


def shape_text(shape: tuple[int, ...]) -> str:
    """Tensor shape for display: `1x48x48x1`."""
    return "x".join(str(side) for side in shape)


def _decoded(text: bytes, path: Path, structure: type[AnyCard]) -> AnyCard:
    """Decode and check a card; schema and kind first, because other cards may have any other key."""
    try:
        head = decode_json(text, _Head)
        if head.schema != SCHEMA:
            raise ModelError(
                f"{path}: is a model card of schema {head.schema}, this version reads {SCHEMA}:"
                f" use the fer-edge that wrote it, or {structure.cure}"
            )
        if head.kind in {EXPRESSION, DETECTOR} - {structure.network}:
            raise ModelError(
                f"{path}: describes a network of kind {head.kind!r}, not {structure.network!r}: use another model"
            )
        card = decode_json(text, structure)
    except DecodeError as error:
        raise ModelError(f"{path}: is not a valid model card: {error}: {structure.cure}") from error
    if isinstance(card, ModelCard):
        _check_labels(card, path)
    elif card.kind != DETECTOR:
        raise ModelError(f"{path}: describes a network of kind {card.kind!r}, not {DETECTOR!r}: use another model")
    return card


def _check_labels(card: ModelCard, path: Path) -> None:
    """Raise ModelError if the card is not of a network with exactly the seven expressions."""
    if card.kind != EXPRESSION:
        raise ModelError(
            f"{path}: describes a network of kind {card.kind!r} ({_listed(card.labels)}), not an"
            f" {EXPRESSION} network: set classify.model to another"
        )
    strange = [label for label, emotion in zip(card.labels, card.emotions, strict=True) if emotion is None]
    missing = [emotion for emotion in EMOTIONS if emotion not in card.emotions]
    if strange or missing or len(card.labels) != len(EMOTIONS):
        raise ModelError(
            f"{path}: labels must be each of {', '.join(EMOTIONS)} once, in the network's order;"
            f" got {_listed(card.labels)}: correct them, or set classify.model to an expression network"
        )


def _classes(output: TensorSpec) -> int | None:
    """Number of classes if the output is one vector, otherwise None."""
    return output.shape[1] if len(output.shape) == 2 and output.shape[0] == 1 else None  # noqa: PLR2004


def _shown(output: TensorSpec) -> str:
    classes = _classes(output)
    return f"an output of {shape_text(output.shape)}" if classes is None else f"{classes} classes"


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[: len(EMOTIONS) + 1]) or "none"


class _Head(Struct):
    """Keys that a card of any schema and kind has."""

    schema: int
    kind: str = ""
