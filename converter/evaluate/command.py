"""`fer-convert evaluate`: scores of networks on labelled faces, side by side, as the edge runs them.

TFLite files need no TensorFlow here; a Keras network runs in a process of its own.
"""

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from converter.data.faces import PUBLIC, USAGES, Faces
from converter.data.splits import HeldOut, held_out_by
from converter.evaluate.evaluation import Evaluation, evaluate_keras, evaluate_tflite, latencies_ms
from converter.evaluate.plots import confusion_picture, reliability_picture
from converter.evaluate.report import (
    Comparison,
    Pictures,
    as_html,
    as_json,
    as_markdown,
    confusion_csv,
    tables,
    title,
)
from converter.options import data_option, given_labels, given_scaling, layout_options, read_split
from converter.provenance import training_provenance
from converter.reports import show_table
from fer_edge.errors import UserError
from fer_edge.files import atomic_output
from fer_edge.vision.classifier import Classifier, load_classifier

TFLITE = ".tflite"


@click.command(short_help="Measure any number of networks side by side.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE...")
@data_option
@click.option("--split", type=click.Choice(USAGES), default=PUBLIC, show_default=True, help="The faces to evaluate on.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Write a report into this folder, too."
)
@layout_options
def command(  # noqa: PLR0913  one parameter an option is how click works
    *,
    files: tuple[Path, ...],
    data: Path,
    split: str,
    output: Path | None,
    labels: str | None,
    pixel_range: str | None,
    mean: float | None,
    std: float | None,
) -> None:
    """Measure each FILE on labelled faces: TFLite files by their cards, with the runner of the edge; .keras files, HDF5
    files and SavedModel folders by Keras, for comparison.

    The first FILE is what the others are compared with. --labels, --range, --mean and --std are for Keras networks.
    A FILE that cannot be read is named at the end, after the scores of the others; the exit code is 1 then.
    Where the data have no PublicTest, the faces are those that `fer-convert train` held out for a FILE.
    """
    console = Console(soft_wrap=True, highlight=False)
    scaling, order = given_scaling(pixel_range, mean, std), given_labels(labels)
    failed: list[UserError] = []
    classifiers = dict(_loaded(files, failed))
    if not classifiers:
        raise _all_of(failed)
    with console.status("reading faces") as status:
        labelled = read_split(data, split, held_out_for(classifiers), option="--split")
        faces = labelled.faces
        evaluations = []
        for path, classifier in classifiers.items():
            status.update(f"running {path.name} on {len(faces):,} faces")
            try:
                evaluations.append(
                    evaluate_tflite(path, classifier, faces)
                    if classifier
                    else evaluate_keras(path, faces, scaling, order, status.update)
                )
            except UserError as error:
                failed.append(error)
        if not evaluations:
            raise _all_of(failed)
        comparison = compare(evaluations, faces, labelled.split, data.name)
        if output:
            status.update("drawing")
            write_report(comparison, output)
    scores = tables(comparison)[0]
    show_table(console, title(comparison), scores.columns, scores.rows)
    if output:
        console.print(f"written to {output}: report.html, report.md, report.json, pictures and counts", markup=False)
    if failed:
        raise _all_of(failed)


def held_out_for(classifiers: Mapping[Path, Classifier | None]) -> HeldOut | None:
    """Return the split that was held out when the networks were trained; None where none records it.

    A Keras network has no classifier.

    Raises UserError where they differ. A file without a record may have been trained on these faces.
    """
    recorded: dict[HeldOut, Path] = {}
    for path, classifier in classifiers.items():
        trained = classifier.card.training.get("trained") if classifier else training_provenance(path)
        held_out = held_out_by(trained)
        if held_out:
            recorded.setdefault(held_out, path)
    if len(recorded) > 1:
        one, other, *_ = recorded.values()
        raise UserError(f"{one} and {other} were trained with other faces held out; evaluate them one by one")
    return next(iter(recorded), None)


def compare(evaluations: Sequence[Evaluation], faces: Faces, split: str, data: str) -> Comparison:
    """``evaluations`` beside each other, under names that differ, with the TFLite files' speed in this one run."""
    stems = Counter(evaluation.name for evaluation in evaluations)
    files = Counter(evaluation.path.name for evaluation in evaluations)
    named = []
    for evaluation in evaluations:
        path = evaluation.path
        file = path.name if files[path.name] == 1 else f"{path.parent.name}/{path.name}"
        named.append(replace(evaluation, name=evaluation.name if stems[evaluation.name] == 1 else file))
    classifiers = [evaluation.classifier for evaluation in named if evaluation.classifier]
    times = iter(latencies_ms(classifiers, faces.images[0]))
    latencies = tuple(next(times) if evaluation.classifier else None for evaluation in named)
    return Comparison(split, data, tuple(named), latencies, platform.machine())


def write_report(comparison: Comparison, folder: Path) -> None:
    """Write report.html, report.md, report.json and, of each network, its pictures and counts into ``folder``."""
    files: dict[str, bytes] = {}
    pictures: list[Pictures] = []
    for number, evaluation in enumerate(comparison.evaluations, 1):
        stem = f"{number}-{evaluation.path.stem}"
        heading = f"{evaluation.name} on {title(comparison)}"
        drawn = Pictures(f"confusion-{stem}.png", f"reliability-{stem}.png")
        files[drawn.confusion] = confusion_picture(evaluation.measured.confusion, heading)
        files[drawn.reliability] = reliability_picture(evaluation.measured.reliability, heading)
        files[f"confusion-{stem}.csv"] = confusion_csv(evaluation.measured.confusion).encode()
        pictures.append(drawn)
    files["report.html"] = as_html(
        comparison, [(files[drawn.confusion], files[drawn.reliability]) for drawn in pictures]
    )
    files["report.json"] = as_json(comparison)
    files["report.md"] = as_markdown(comparison, pictures)
    for name, content in files.items():
        with atomic_output(folder / name) as path:
            path.write_bytes(content)


def _loaded(files: Sequence[Path], failed: list[UserError]) -> Iterator[tuple[Path, Classifier | None]]:
    """Give each of ``files`` with its classifier, None for a Keras network; errors are added to ``failed``."""
    for path in files:
        try:
            yield path, load_classifier(path) if _is_tflite(path) else None
        except UserError as error:
            failed.append(error)


def _all_of(failed: Sequence[UserError]) -> UserError:
    """One error of a line for each."""
    return UserError("\n".join(map(str, failed)))


def _is_tflite(path: Path) -> bool:
    """Return whether ``path`` is a TFLite file; UserError for an architecture or a card."""
    if path.suffix.lower() == ".json":
        raise UserError(f"{path}: is an architecture or a card; give the network itself, as .tflite, .keras or .h5")
    return path.suffix.lower() == TFLITE
