"""`fer-convert train-detector`: a face detector from photos with boxes, in a folder from which it can be resumed."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from converter.detector.dataset import Photo, read_photos
from converter.detector.trainer import DetectorConfig
from converter.networks.backend import load_backend, versions
from converter.provenance import commit, is_recorded, write_provenance
from fer_edge.errors import UserError
from fer_edge.files import check_folder

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT = DetectorConfig()
CONFIG_OPTIONS = ("epochs", "scenes", "batch", "height", "width", "rate", "decay", "averaged", "seed")
photos_option = click.option(
    "--photos",
    required=True,
    multiple=True,
    nargs=2,
    type=click.Path(exists=True, path_type=Path),
    metavar="COCO FOLDER",
    help="A COCO file of faces and the folder that its file names begin in; may be given several times.",
)


def _number(name: str, kind: Any, text: str) -> Callable[[Command], Command]:
    return click.option(f"--{name}", type=kind, default=getattr(DEFAULT, name), show_default=True, help=text)


@click.command(short_help="Train a face detector.")
@photos_option
@click.option(
    "--heads",
    type=click.Path(exists=True, path_type=Path),
    help="FER-2013, whose Training faces are put into some scenes: more people than photos have.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="The run's folder."
)
@_number("epochs", click.IntRange(1), "Rounds of --scenes.")
@_number("scenes", click.IntRange(1), "Pictures per epoch, each composed anew.")
@_number("batch", click.IntRange(1), "Pictures per step.")
@_number("height", int, "Pixels of most pictures, a multiple of 32.")
@_number("width", int, "The same for the width.")
@_number("rate", float, "Highest learning rate.")
@_number("decay", click.FloatRange(0), "Decay of weights, times the rate.")
@_number("averaged", click.FloatRange(0, 1), "Horizon of the averaging of weights as a part of the run; 0: none.")
@_number("seed", click.IntRange(0), "Of the first weights and of every scene.")
@click.option("--warmup", type=click.FloatRange(0), default=DEFAULT.warmup_epochs, show_default=True)
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin with these weights (.keras, .weights.h5 or .tflite) instead of fresh ones.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that make scenes.")
def command(**given: Any) -> None:
    """Train a face detector on the photos of COCO files, and keep the network, averaged over the latest epochs.

    A sixteenth of the photos is held out; its loss is the validation loss. Interrupted, the same command goes on
    where it was. KERAS_BACKEND chooses tensorflow (default), jax (for a GPU) or torch.
    """
    console = Console(soft_wrap=True, highlight=False)
    check_folder(given["output"])
    start = given["start"]
    config = DetectorConfig(
        **{name: given[name] for name in CONFIG_OPTIONS},
        warmup_epochs=given["warmup"],
        start=hashlib.sha256(start.read_bytes()).hexdigest() if start else "",
    )
    with console.status("reading photos"):
        photos = read_all(given["photos"])
        face_crops = _face_crops(given["heads"])
    faces = sum(len(photo.faces) for photo in photos)
    click.echo(f"{len(photos):,} photos, {faces:,} faces in them, {len(face_crops):,} faces to put into scenes")
    with console.status("building the network"):
        backend = load_backend()
    from converter.detector.trainer import DetectorRun

    folder = given["output"]
    run = DetectorRun(config, photos, face_crops, folder, start)
    provenance = {
        "network": "face",
        "recipe": config.as_json(),
        "data": {"photos": run.scenes.gallery.groups, "faces": faces, "heads": len(face_crops)},
        "start": start.name if start else None,
        "backend": backend,
        "versions": versions(),
        "commit": commit(),
    }

    def epoch_ended(run: DetectorRun) -> None:
        row = run.rows[-1]
        click.echo(
            f"epoch {row.epoch}/{config.epochs}  loss {row.loss:.4f}  validation loss {row.val_loss:.4f}  "
            f"{row.seconds:.0f} s"
        )
        write_provenance(folder, provenance, dataclasses.asdict(row))

    if run.rows:
        click.echo(f"resuming after epoch {len(run.rows)} of {config.epochs}")
        result = dataclasses.asdict(run.rows[-1])
        if not is_recorded(folder, result):  # the end of the last epoch was interrupted
            write_provenance(folder, provenance, result)
    try:
        run.train(epoch_ended, workers=given["workers"])
    except KeyboardInterrupt as error:
        raise UserError(f"stopped after epoch {len(run.rows)}; the same command goes on from there") from error
    click.echo(f"{folder / 'face.keras'}: after epoch {len(run.rows)} of {config.epochs}")


def _face_crops(data: Path | None) -> list[Any]:
    if data is None:
        return []
    from converter.data.fer2013 import read_faces
    from converter.detector.dataset import face_crops

    return face_crops(read_faces(data).split("Training"))


def read_all(photos: tuple[tuple[Path, Path], ...]) -> list[Photo]:
    """The photos of all files, one after the other."""
    return [photo for annotations, folder in photos for photo in read_photos(annotations, folder)]
