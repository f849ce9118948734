"""Options that several commands share, and what they mean."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from converter.data.faces import PUBLIC, USAGES, DataError, Faces
from converter.data.splits import HELD_OUT_NAME, HeldOut, reproduce_held_out
from converter.networks.layout import ORDERS, RANGES, Scaling, parse_labels
from fer_edge.errors import UserError

SPLIT_FROM = {  # sources of a split, as in docs/training.md
    "Training": "a Usage column that names some, or with a `train` folder",
    PUBLIC: "a Usage column that names some, or with a `test` folder beside `train`",
    "PrivateTest": "a Usage column that names some, or with a `test` folder beside `train` and `validation`",
}

data_option = click.option(
    "--data",
    required=True,
    envvar="FER_EDGE_FER2013",
    type=click.Path(exists=True, path_type=Path),
    help="FER-2013: fer2013.csv, icml_face_data.csv, a folder of images, or a folder of sheets.",
)


class LabelledFaces(NamedTuple):
    """Labelled faces on which networks are measured."""

    split: str  # what they are called in cards and tables
    faces: Faces


def layout_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for the layout of a network; what is not given is inferred from labelled faces."""
    for option in reversed(
        [
            click.option(
                "--labels",
                metavar="ORDER",
                help=f"The network's class order: {', '.join(ORDERS)}, or seven names with commas between. "
                "Without it: inferred.",
            ),
            click.option(
                "--range",
                "pixel_range",
                type=click.Choice(sorted(RANGES)),
                help="Range of the network's input for pixels 0 to 255. Without it: inferred.",
            ),
            click.option("--mean", type=float, help="With --std, instead of --range: input = (pixel - mean) / std."),
            click.option("--std", type=float, help="See --mean; in units of pixels 0 to 255."),
        ]
    ):
        command = option(command)
    return command


def given_scaling(pixel_range: str | None, mean: float | None, std: float | None) -> Scaling | None:
    """The scaling that the options name, None where it is to be found."""
    if (mean is None) != (std is None):
        raise click.UsageError("--mean and --std belong together: give both or neither.")
    if mean is None or std is None:
        return RANGES[pixel_range] if pixel_range else None
    if pixel_range:
        raise click.UsageError("Give --range or --mean and --std, not both.")
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        raise click.UsageError(f"--mean must be a number and --std above 0, got {mean:g} and {std:g}.")
    return Scaling(mean, std)


def given_labels(labels: str | None) -> tuple[str, ...] | None:
    """The class order that the option names, None where it is to be found."""
    return None if labels is None else parse_labels(labels)


def read_split(data: Path, split: str, held_out: HeldOut | None = None, *, option: str | None = None) -> LabelledFaces:
    """Return one split of ``data``; where PublicTest is requested and missing, the faces that a run ``held_out``.

    Raises UserError where there are none; ``option`` would choose another split.
    """
    faces = _faces(data)
    if split == PUBLIC and (again := _again(faces, held_out, data)):
        return again[1]
    return LabelledFaces(split, _split(faces, split, data, option))


def read_splits(data: Path, held_out: HeldOut | None) -> tuple[Faces, LabelledFaces]:
    """The Training and the PublicTest faces in ``data``; where these are not there, those that a run ``held_out``.

    Raises UserError where either is empty.
    """
    faces = _faces(data)
    again = _again(faces, held_out, data)
    return again or (_split(faces, "Training", data), LabelledFaces(PUBLIC, _split(faces, PUBLIC, data)))


def _faces(data: Path) -> Faces:
    from converter.data.fer2013 import read_faces

    return read_faces(data)


def _again(faces: Faces, held_out: HeldOut | None, data: Path) -> tuple[Faces, LabelledFaces] | None:
    """Return the training and the held-out faces of a run; None where there is a PublicTest, or no such run."""
    if not held_out or len(faces.split(PUBLIC)):
        return None
    try:
        training, held = reproduce_held_out(faces, held_out)
    except DataError as error:
        raise UserError(f"{data}: {error}; give the data of its training, or data with {SPLIT_FROM[PUBLIC]}") from error
    return training, LabelledFaces(HELD_OUT_NAME, held)


def _split(faces: Faces, split: str, data: Path, option: str | None = None) -> Faces:
    """One split of ``faces``, with a cure where it is empty.

    A tenth held out here would be none: the network may have learned it, and a score on faces that it learned would
    pass for one on strangers.
    """
    chosen = faces.split(split)
    if not len(chosen):
        there = [usage for usage in USAGES if len(faces.split(usage))]
        other = f", or {option} {there[0]}" if option else ""
        raise UserError(f"{data}: has no {split} faces; give data with {SPLIT_FROM[split]}{other}")
    return chosen
