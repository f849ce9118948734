"""`fer-convert card`: the card of a TFLite file from elsewhere, without which the daemon does not run it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from rich.console import Console

from converter.data.faces import PUBLIC, Faces
from converter.networks.layout import Scaling, choose_layout, output_kind
from converter.networks.tflite import calibrated_card, operations, run_tflite
from converter.options import data_option, given_labels, given_scaling, layout_options, read_split
from converter.quantize.command import check_card, summary
from fer_edge import __version__
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.files import atomic_output
from fer_edge.vision.classifier import Classifier
from fer_edge.vision.interpreter import Interpreter, read_model
from fer_edge.vision.model_card import CardInput, ModelCard, card_path, load_card, save_card, sha256_of
from fer_edge.vision.model_trial import try_model

PICTURE_AXES = 4  # 1, h, w, c
VECTOR_AXES = 2  # 1, classes


@dataclass(frozen=True, slots=True)
class CardOptions:
    """Options of the card; None is inferred."""

    name: str
    scaling: Scaling | None = None
    labels: tuple[str, ...] | None = None
    licence: str = ""


@click.command(short_help="Write the card of a TFLite file from elsewhere.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@layout_options
@click.option("--name", help="The network's name. Without it: the file's name.")
@click.option("--licence", default="", help="Under which licence the network may be used.")
def command(  # noqa: PLR0913  one parameter an option is how click works
    *,
    file: Path,
    data: Path,
    labels: str | None,
    pixel_range: str | None,
    mean: float | None,
    std: float | None,
    name: str | None,
    licence: str,
) -> None:
    """Write the card of FILE, a TFLite expression network, beside it.

    Pixel scaling and class order are inferred from labelled faces where they are not given. The card gets the scores on
    PublicTest and the temperature that calibrates the confidence.
    """
    console = Console(soft_wrap=True, highlight=False)
    given = CardOptions(name or file.stem, given_scaling(pixel_range, mean, std), given_labels(labels), licence)
    if file.suffix.lower() != ".tflite":  # by which `fer-convert evaluate` and notebooks know it
        raise click.BadParameter(f"must end in .tflite; rename {file.name} first", param_hint="FILE")
    check_card(file, load_card, f"move it away, or rename {file.name}")
    content = read_model(file, "FILE")
    with console.status(f"running {file.name}"):
        try_model(content, str(file), "expression")
        card = make_card(content, given, read_split(data, PUBLIC).faces)
    with atomic_output(card_path(file)) as drafted:
        save_card(card, drafted.with_suffix(file.suffix))
    for line in summary(card, file, len(content)):
        console.print(line, markup=False)


def make_card(content: bytes, given: CardOptions, public: Faces) -> ModelCard:
    """The card of the TFLite file ``content``, its temperature fitted and its scores measured on ``public``.

    Raises ModelError where it does not run here, UserError where it is no expression network or its layout unclear.
    """
    runner = Interpreter(content, given.name)
    height, width, channels = _picture(runner, given.name)
    draft = ModelCard(
        name=given.name,
        sha256=sha256_of(content),
        labels=EMOTIONS,  # the order of all answers here, so a draft gives them as the network does
        input=CardInput(height=height, width=width, channels=channels, mean=0.0, std=1.0),
        output="logits",
        licence=given.licence,
        notes="card written for a TFLite file made elsewhere",
    )

    def infer(scaling: Scaling, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return run_tflite(Classifier(_scaled(draft, scaling), runner), public.images[indices])

    layout, found = choose_layout(infer, public.labels, given.scaling, given.labels)
    card = replace(_scaled(draft, layout.scaling), labels=layout.labels)
    raw = run_tflite(Classifier(card, runner), public.images)
    how = {
        "layout": found or "given by the user",
        "operations": dict(operations(content)),
        "converter": f"fer-edge {__version__}",
    }
    return calibrated_card(replace(card, output=output_kind(raw), training=how), raw, public.labels, PUBLIC)


def _picture(runner: Interpreter, name: str) -> tuple[int, int, Literal[1, 3]]:
    """Height, width and channels that the network takes; UserError where it is no expression network."""
    taken, given = runner.input.shape, runner.output.shape
    if len(given) != VECTOR_AXES or given[-1] != len(EMOTIONS):
        raise UserError(
            f"{name}: gives {' x '.join(map(str, given[1:]))} classes, so it is not an expression network; "
            f"that gives {len(EMOTIONS)}: {', '.join(EMOTIONS)}"
        )
    if len(taken) != PICTURE_AXES or taken[0] != 1 or taken[3] not in (1, 3):
        raise UserError(
            f"{name}: takes {' x '.join(map(str, taken))}; a network for faces takes 1 x height x width x 1 or 3"
        )
    return taken[1], taken[2], 1 if taken[3] == 1 else 3


def _scaled(card: ModelCard, scaling: Scaling) -> ModelCard:
    return replace(card, input=replace(card.input, mean=scaling.mean, std=scaling.std))
