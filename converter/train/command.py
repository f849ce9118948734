"""`fer-convert train`: a network from FER-2013, in a folder from which an interrupted run can be resumed."""

import dataclasses
import hashlib
import time
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from converter.data.augment import AMOUNTS
from converter.data.faces import Faces
from converter.data.fer2013 import counted, read_faces
from converter.data.splits import HELD_OUT_NAME, limited, training_and_validation
from converter.networks.backend import load_backend, versions
from converter.options import data_option
from converter.provenance import commit, data_provenance, is_recorded, result_of, write_provenance
from converter.train.architectures import NETWORKS
from converter.train.batches import Balance
from converter.train.config import DEFAULT_DECAYS, DEFAULT_RATES, Optimizer, TrainConfig
from converter.train.distillation import digest
from converter.train.history import Row, best
from converter.train.trainer import RunFiles
from fer_edge.errors import UserError
from fer_edge.files import check_folder

DEFAULT = TrainConfig()
CURVES = "curves.png"


def _listed(values: dict[Optimizer, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


@click.command(
    short_help="Train a network.",
    epilog="\b\nNetworks:\n" + "\n".join(f"  {name:8} {known.summary}" for name, known in NETWORKS.items()),
)
@data_option
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="The run's folder."
)
@click.option("--network", type=click.Choice(list(NETWORKS)), default=DEFAULT.network, show_default=True)
@click.option(
    "--epochs", type=click.IntRange(1), default=DEFAULT.epochs, show_default=True, help="Passes over all faces."
)
@click.option("--batch", type=click.IntRange(1), default=DEFAULT.batch, show_default=True, help="Faces per step.")
@click.option("--optimizer", type=click.Choice(get_args(Optimizer)), default=DEFAULT.optimizer, show_default=True)
@click.option("--rate", type=float, help=f"Highest learning rate. Default: {_listed(DEFAULT_RATES)}.")
@click.option("--decay", type=float, help=f"Decay of weights, times the rate. Default: {_listed(DEFAULT_DECAYS)}.")
@click.option(
    "--warmup",
    type=click.FloatRange(0),
    default=DEFAULT.warmup_epochs,
    show_default=True,
    help="Epochs over which the rate rises, before it falls along a cosine.",
)
@click.option(
    "--augment",
    type=click.Choice(list(AMOUNTS)),
    default="light",
    show_default=True,
    help="Amount of augmentation.",
)
@click.option(
    "--mixup", type=click.FloatRange(0), help="Mixup's alpha, instead of that of --augment: strong 0.2, the others 0."
)
@click.option(
    "--balance",
    type=click.Choice(get_args(Balance)),
    default=DEFAULT.balance,
    show_default=True,
    help="Balance of rare classes: weights in the loss, or more frequent sampling.",
)
@click.option(
    "--votes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="FER+ votes to join in: fer2013new.csv. Sheets have them already.",
)
@click.option(
    "--votes-share",
    type=click.FloatRange(0, 1),
    default=DEFAULT.votes,
    show_default=True,
    help="Share of the FER+ votes in the targets, where there are votes.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Distil this network (.keras, or .tflite with its card): its probabilities become part of the targets; can be "
    "given several times.",
)
@click.option(
    "--taught-share",
    type=click.FloatRange(0, 1),
    default=DEFAULT.taught,
    show_default=True,
    help="Share of the teachers' probabilities in the targets.",
)
@click.option(
    "--smoothing",
    type=click.FloatRange(0, 1),
    default=DEFAULT.smoothing,
    show_default=True,
    help="Share of each target spread evenly over the classes.",
)
@click.option(
    "--averaged",
    type=click.FloatRange(0, 1),
    default=DEFAULT.averaged,
    show_default=True,
    help="Horizon of the averaging of weights as a part of the run; 0: none.",
)
@click.option(
    "--patience",
    type=click.IntRange(0),
    default=DEFAULT.patience,
    show_default=True,
    help="Stop after so many epochs without a better validation accuracy; 0: never.",
)
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin with these weights of the same network (.keras, .weights.h5, or a .tflite made of it) instead of "
    "fresh ones.",
)
@click.option("--limit", type=click.IntRange(1), help="Use at most so many faces of each split, to try things out.")
@click.option("--seed", type=click.IntRange(0), default=DEFAULT.seed, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that prepare batches.")
def command(**given: Any) -> None:
    """Train a network on FER-2013 and keep the best one by validation accuracy (PublicTest, which is never trained on).

    The run's folder holds <network>.keras, .json and .weights.h5 (the best so far), history.csv, curves.png (both
    new each epoch) and recipe.json. Interrupted, the same command goes on where it was.

    KERAS_BACKEND chooses tensorflow (default), jax (for a GPU) or torch.
    """
    console = Console(soft_wrap=True, highlight=False)
    config = _config(given)
    folder = given["output"]
    check_folder(folder)
    with console.status("reading faces"):
        faces = read_faces(given["data"], given["votes"])
    training, validation, held_out = training_and_validation(faces, config.seed)
    if given["limit"]:
        training, validation = (limited(part, given["limit"], config.seed) for part in (training, validation))
    click.echo(f"{given['data']}: {counted(faces)}")
    click.echo(
        f"training on {len(training):,} faces, validating on {len(validation):,}"
        + (f" {HELD_OUT_NAME}, as there is no PublicTest" if held_out else "")
    )
    with console.status("building the network"):
        backend = load_backend()
    start = given["start"]
    provenance = {
        "network": config.network,
        "recipe": config.as_json(),
        "data": data_provenance(given["data"], training, validation, held_out),
        "start": start.name if start else None,
        "teachers": [teacher.name for teacher in given["teachers"]],
        "backend": backend,
        "versions": versions(),
        "commit": commit(),
    }
    files = RunFiles(folder, start, given["teachers"])
    train(config, training, validation, files, console, workers=given["workers"], provenance=provenance)


def train(  # noqa: PLR0913  what a run is made of
    config: TrainConfig,
    training: Faces,
    validation: Faces,
    files: RunFiles,
    console: Console,
    *,
    workers: int,
    provenance: dict[str, Any],
) -> None:
    """Run, or resume, one training with its output on the terminal; ``provenance`` goes into recipe.json."""
    from converter.train.history import draw_curves, live_curves
    from converter.train.trainer import Run

    folder = files.folder
    with console.status("running the teachers") if files.teachers else nullcontext():
        run = Run(config, training, validation, files)
    if run.rows:
        click.echo(f"resuming after epoch {len(run.rows)} of {config.epochs}")
    live = live_curves()

    def write_files(run: Run) -> None:
        draw_curves(run.rows, config.epochs, f"{config.network}, {len(training):,} faces", folder / CURVES)
        write_provenance(folder, provenance, result_of(run))

    def epoch_ended(run: Run) -> None:
        row = run.rows[-1]
        progress.epoch(row, is_best=best(run.rows) is row)
        write_files(run)
        if live:
            live(row)

    if run.rows and not is_recorded(folder, result_of(run)):  # the end of the last epoch was interrupted
        write_files(run)
    with TrainProgress(console, config.epochs, run.epochs.steps, len(run.rows)) as progress:
        try:
            run.train(epoch_ended, progress.step, workers)
        except KeyboardInterrupt as error:
            raise UserError(f"stopped after epoch {len(run.rows)}; the same command goes on from there") from error
    top = best(run.rows)
    assert top is not None
    click.echo(
        f"best validation accuracy {top.val_accuracy:.2%} in epoch {top.epoch} of {len(run.rows)}: "
        f"{folder / config.network}.keras"
    )


def _config(given: dict[str, Any]) -> TrainConfig:
    augment = AMOUNTS[given["augment"]]
    if given["mixup"] is not None:
        augment = dataclasses.replace(augment, mixup=given["mixup"])
    same = ("network", "epochs", "batch", "optimizer", "rate", "decay", "smoothing", "balance", "averaged", "patience")
    return TrainConfig(
        **{name: given[name] for name in same},
        warmup_epochs=given["warmup"],
        votes=given["votes_share"],
        taught=given["taught_share"],
        teachers=digest(given["teachers"]),
        seed=given["seed"],
        start=hashlib.sha256(given["start"].read_bytes()).hexdigest() if given["start"] else "",
        augment=augment,
    )


class TrainProgress:
    """Context manager that shows steps and epochs on the terminal. Not thread-safe; the training loop owns it."""

    def __init__(self, console: Console, epochs: int, steps: int, done: int) -> None:
        self._console = console
        self._epochs = epochs
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._steps = steps
        self._task = self._progress.add_task(
            "", total=epochs * steps, completed=done * steps, epoch=done, epochs=epochs
        )
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, epoch: int, step: int) -> None:
        """``step`` of ``epoch``, both counted from 1, is done."""
        self._progress.update(self._task, completed=(epoch - 1) * self._steps + step, epoch=epoch)

    def epoch(self, row: Row, *, is_best: bool) -> None:
        """An epoch is done: one line that stays."""
        line = (
            f"epoch {row.epoch:>{len(str(self._epochs))}}/{self._epochs}  loss {row.loss:.4f}  "
            f"accuracy {row.accuracy:.2%}  validation loss {row.val_loss:.4f}  accuracy {row.val_accuracy:.2%}  "
            f"{row.seconds:.0f} s{'  best' if is_best else ''}"
        )
        if self._console.is_terminal:
            self._progress.console.print(line, markup=False, style="bold" if is_best else "")
        else:
            click.echo(line)
