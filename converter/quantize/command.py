"""`fer-convert quantize`: a TFLite file and its card from a Keras expression network.

Keras file -> worker (layout inferred, converted) -> run by the edge's interpreter -> temperature fitted -> file, card
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from rich.console import Console

from converter.data.faces import Faces
from converter.data.splits import held_out_by
from converter.networks.inference import Source
from converter.networks.layout import RANGES, Layout
from converter.networks.metrics import loss_of_score
from converter.networks.tflite import calibrated_card, operations, run_tflite
from converter.networks.worker import Limits, Report, run_in_worker
from converter.options import LabelledFaces, data_option, given_labels, given_scaling, layout_options, read_splits
from converter.provenance import training_provenance
from converter.quantize.comparison import diverging_operation
from converter.quantize.convert import Conversion, Kind, Target, convert
from fer_edge import __version__
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import ModelError, UserError
from fer_edge.files import atomic_output
from fer_edge.vision.classifier import Classifier
from fer_edge.vision.interpreter import Interpreter
from fer_edge.vision.model_card import CardInput, ModelCard, card_path, load_card, save_card, sha256_of

REPRESENTATIVE_A_CLASS = 60  # Training faces of each class by whose activations the int8 scales are set
ACCEPTED_LOSS = 1.0  # points of top-1; int8 of networks that convert well costs at most 0.2 (docs/converting.md)
SURE = 2.0  # standard errors beyond which a loss is no chance
SEED = 20130701  # draws them; any would do, a fixed one makes the same file again
UNTRAINED = Layout(RANGES["-1,1"], EMOTIONS)  # layout of an untrained network: that of `train`

UNTRAINED_FACES = 32  # show whether such a network gives logits or probabilities; its answers mean nothing


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A TFLite file and its card, not yet written."""

    content: bytes
    card: ModelCard


@click.command(short_help="Make a TFLite file and its card from a Keras network.")
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("weights", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@data_option
@click.option(
    "--kind",
    type=click.Choice(["int8", "float16", "dynamic"]),
    default="int8",
    show_default=True,
    help="int8: all integers, fastest. dynamic: int8 weights alone. float16: half the size, the float answers.",
)
@click.option("--float-io", is_flag=True, help="Leave input and output of an int8 network float32.")
@layout_options
@click.option("--name", help="The network's name in its card and in messages. Without it: the output's file name.")
@click.option("--licence", default="", help="Under which licence the network may be used; goes into the card.")
@click.option(
    "--accept-loss",
    type=click.FloatRange(0, 100),
    default=ACCEPTED_LOSS,
    show_default=True,
    metavar="POINTS",
    help="The most that the file may score below the original, in points of top-1 on the same faces.",
)
@click.option("--untrained", is_flag=True, help="Take a JSON architecture without weights, to see that it converts.")
def command(  # noqa: PLR0913  one parameter an option is how click works
    *,
    model: Path,
    weights: Path | None,
    output: Path,
    data: Path,
    kind: Kind,
    float_io: bool,
    labels: str | None,
    pixel_range: str | None,
    mean: float | None,
    std: float | None,
    name: str | None,
    licence: str,
    accept_loss: float,
    untrained: bool,
) -> None:
    """Make a TFLite file and its card from MODEL: a .keras file, a whole-model HDF5 file, a SavedModel folder, or a
    JSON architecture with its WEIGHTS in HDF5.

    Pixel scaling and class order are inferred from labelled faces where they are not given. The card gets the scores of
    the file on PublicTest; where the data have none, on the faces that `fer-convert train` held out for MODEL. A file
    that scores clearly lower there than MODEL is not written.
    """
    console = Console(soft_wrap=True, highlight=False)
    source = Source(
        name=name or output.stem,
        model=model,
        weights=weights,
        untrained=untrained,
        scaling=given_scaling(pixel_range, mean, std) or (UNTRAINED.scaling if untrained else None),
        labels=given_labels(labels) or (UNTRAINED.labels if untrained else None),
    )
    check_output(output)
    # Both drafts lie side by side, as the files will: `save_card` derives the card's path from the model's.
    with atomic_output(output) as drafted, atomic_output(card_path(output)):
        with console.status("reading faces") as at:
            training, labelled = read_splits(data, held_out_by(training_provenance(model)))
            made = quantize(source, Target(kind, float_io), training, labelled, at.update, accept_loss)
        drafted.write_bytes(made.content)
        save_card(replace(made.card, licence=licence), drafted)
    for line in summary(made.card, output, len(made.content)):
        console.print(line, markup=False)


def quantize(  # noqa: PLR0913, PLR0917  what the file is made from, and what it must reach
    source: Source,
    target: Target,
    training: Faces,
    labelled: LabelledFaces,
    report: Report,
    accepted_loss: float = ACCEPTED_LOSS,
) -> Quantized:
    """Return the TFLite file of ``source``, with its scores on ``labelled`` as the edge runs it.

    Raises UserError, one line, for whatever is wrong with the network, and where the file scores clearly more than
    ``accepted_loss`` points below it.
    """
    representative = draw_representative(training)
    split, faces = labelled
    few = faces.chosen(np.arange(min(len(faces), UNTRAINED_FACES))) if source.untrained else faces
    made = run_in_worker(
        convert, source, target, few, representative, model=source.model, report=report, limits=Limits()
    )
    card = _card(source, target, made, len(representative))
    if not source.untrained:
        report(f"running the TFLite file on {len(faces):,} faces")
        raw = run_tflite(Classifier(card, Interpreter(made.content, source.name)), faces.images)
        original = made.original.probabilities()
        card = calibrated_card(card, raw, faces.labels, split, original)
        loss, error = loss_of_score(raw, original, faces.labels)
        if loss > max(accepted_loss / 100, SURE * error):
            where = _divergence(source, target, made, representative, report) if target.kind == "int8" else ""
            raise UserError(_too_lossy(source, target.kind, card.scores[split], split, accepted_loss, where))
    return Quantized(made.content, card)


def check_output(output: Path, load: Callable[[Path], object] = load_card) -> None:
    """Raise UserError where writing ``output`` and its card would fail late or overwrite what is not theirs.

    ``load`` reads a card of ``output``'s kind.
    """
    if output.suffix.lower() != ".tflite":
        raise click.BadParameter(f"must end in .tflite, got {output.name}", param_hint="--output")
    if output.is_dir():
        raise UserError(f"{output}: is a folder; give the name of a file")
    check_card(output, load, "choose another --output")


def check_card(model: Path, load: Callable[[Path], object], cure: str) -> None:
    """Raise UserError that ends in ``cure`` where the file in the place of ``model``'s card is no card."""
    if not card_path(model).exists():
        return
    try:
        load(model)
    except ModelError as error:
        raise UserError(
            f"{card_path(model)}: is there and is no model card; the card of {model.name} would replace it: {cure}"
        ) from error


def summary(card: ModelCard, output: Path, size: int) -> list[str]:
    """Describe a file that was written, in lines of text."""
    how = card.training
    lines = [
        f"{output}: {size / 1000:.1f} kB, card {card_path(output).name}, sha256 {card.short_hash}",
        f"read: {how['original']}" if "original" in how else "",
        f"layout: {how['layout']}",
        f"operations: {', '.join(f'{count} {name}' for name, count in sorted(how['operations'].items()))}",
    ]
    for split, scores in card.scores.items():
        lines.append(
            f"{split}, {scores['faces']:.0f} faces: top-1 {scores['top1']:.2%}, macro-F1 {scores['macro_f1']:.2%}, "
            f"ECE {scores['ece']:.2%} (before temperature {card.temperature:g}: {scores['ece_before_temperature']:.2%})"
        )
        if "original_top1" in scores:
            lines.append(
                f"the original: top-1 {scores['original_top1']:.2%}, macro-F1 {scores['original_macro_f1']:.2%}, "
                f"ECE {scores['original_ece']:.2%}; the two agree on {scores['agreement_with_original']:.2%}"
            )
    return [line for line in lines if line]


def draw_representative(training: Faces) -> NDArray[np.uint8]:
    """(m, 48, 48) uint8: equally many faces of every class, fewer only where it has fewer.

    Raises UserError where a class has none.
    """
    generator = np.random.default_rng(SEED)
    chosen = []
    for label, emotion in enumerate(EMOTIONS):
        there = np.flatnonzero(training.labels == label)
        if not len(there):
            raise UserError(f"--data: its Training split has no face that is {emotion}; every class is needed")
        chosen.append(generator.permutation(there)[:REPRESENTATIVE_A_CLASS])
    faces: NDArray[np.uint8] = training.images[np.concatenate(chosen)]
    return faces


def _divergence(
    source: Source, target: Target, made: Conversion, representative: NDArray[np.uint8], report: Report
) -> str:
    found = dataclasses.replace(source, scaling=made.original.scaling, labels=made.original.labels)
    return run_in_worker(
        diverging_operation, found, target, representative, model=source.model, report=report, limits=Limits()
    )


def _too_lossy(  # noqa: PLR0913, PLR0917  the parts of a sentence
    source: Source, kind: Kind, scores: Mapping[str, float], split: str, accepted: float, where: str
) -> str:
    """One line: the loss, the operation that causes it, and what to do."""
    loss = 100 * (scores["original_top1"] - scores["top1"])
    cure = {"int8": "try --kind dynamic", "dynamic": "try --kind float16", "float16": "keep the original"}[kind]
    return (
        f"{source.model}: as {kind} it scores {loss:.2f} points less on {scores['faces']:,.0f} faces of {split} (top-1 "
        f"{scores['top1']:.2%} instead of {scores['original_top1']:.2%}, the same answer for "
        f"{scores['agreement_with_original']:.2%}), more than --accept-loss {accepted:g}"
        f"{f'; the answers part at {where}' if where else ''}; nothing was written: {cure}, or accept the loss with "
        f"--accept-loss {math.floor(loss) + 1}"
    )


def _card(source: Source, target: Target, made: Conversion, representative: int) -> ModelCard:
    original = made.original
    how: dict[str, object] = {
        "made_from": " + ".join(path.name for path in (source.model, source.weights) if path),
        "original": original.description,
        "kind": target.kind,
        "layout": original.found or ("none: untrained" if source.untrained else "given by the user"),
        "softmax": "cut" if made.softmax_cut else "not cut",
        "operations": dict(operations(made.content)),
        "converter": f"fer-edge {__version__}, TensorFlow {made.tensorflow}",
    }
    if provenance := training_provenance(source.model):
        how["trained"] = provenance
    if target.kind == "int8":
        how["representative"] = {"split": "Training", "faces": representative, "seed": SEED}
    return ModelCard(
        name=source.name,
        sha256=sha256_of(made.content),
        labels=original.labels,
        input=CardInput(
            height=original.height,
            width=original.width,
            channels=original.channels,
            mean=original.scaling.mean,
            std=original.scaling.std,
        ),
        output=made.output,
        training=how,
        notes="untrained: random weights" if source.untrained else "",
    )
