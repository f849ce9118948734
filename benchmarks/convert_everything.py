"""Convert every network in a folder and print the scores of each file: the table in docs/converting.md.

    python benchmarks/convert_everything.py ../shared/data/models ../shared/data/fer2013 OUTPUT

Formats: whole HDF5 files, `.keras` files, SavedModel folders, `model.json` with `model_weights.h5` beside it, other
JSON architectures (converted untrained), and TFLite files (copied, and given a card). A network whose layout cannot be
inferred from faces is converted again with GIVEN. Takes about a minute for each network on two cores.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.model_card import ModelCard, load_card

GIVEN = (
    "--range",
    "0,1",
    "--labels",
    "fer2013",
)  # of a network trained on KDEF: at chance on FER-2013, so its layout cannot be inferred
HEAD = (
    "network",
    "container",
    "kB",
    "original",
    "TFLite",
    "difference",
    "agree",
    "macro-F1",
    "ECE before, after",
    "layout",
)
NOT_FOUND = "cannot be found"
WEIGHTS = "model_weights.h5"


def main(models: Path, data: Path, output: Path) -> int:
    output.mkdir(parents=True, exist_ok=True)
    print("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD), flush=True)
    for number, source in enumerate(networks(models), 1):
        target = output / f"{number}-{source.stem}.tflite"
        print(row(source, target, data), flush=True)
    return 0


def networks(models: Path) -> list[Path]:
    """Return the networks below ``models``, without the weights that belong to an architecture."""
    files = [
        path for ending in ("hdf5", "h5", "keras", "json", "tflite") for path in sorted(models.rglob(f"*.{ending}"))
    ]
    folders = [path.parent for path in sorted(models.rglob("saved_model.pb"))]
    return [path for path in (*files, *folders) if path.name != WEIGHTS]


def row(source: Path, target: Path, data: Path) -> str:
    """Convert a network and return its line of the table."""
    command = _command(source, target, data)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode and NOT_FOUND in ended.stderr:
        ended = subprocess.run([*command, *GIVEN], capture_output=True, text=True, check=False)
    if ended.returncode:
        line = ended.stderr.strip().removeprefix(f"fer-convert: {source}: ")
        return f"| {source.name} | refused: {line} |" + " |" * (len(HEAD) - 2)
    card = load_card(target)
    _run_as_daemon(target)
    return "| " + " | ".join(_cells(source, target, card)) + " |"


def _command(source: Path, target: Path, data: Path) -> list[str]:
    convert = [sys.executable, "-m", "converter"]
    if source.suffix == ".tflite":
        shutil.copyfile(source, target)
        return [*convert, "card", str(target), "--data", str(data)]
    weights = source.with_name(WEIGHTS)
    extra = ([str(weights)] if weights.exists() else ["--untrained"]) if source.suffix == ".json" else []
    return [*convert, "quantize", str(source), *extra, "-o", str(target), "--data", str(data)]


def _run_as_daemon(target: Path) -> None:
    """Load and run the file as the daemon does; raises if that fails."""
    classifier = load_classifier(target)
    shape = classifier.card.input
    scores = classifier.scores(np.zeros((shape.height, shape.width), np.uint8))
    assert abs(float(scores.sum()) - 1) < 1e-5, scores  # noqa: PLR2004  float32


def _cells(source: Path, target: Path, card: ModelCard) -> tuple[str, ...]:
    training, scores = card.training, card.scores.get("PublicTest")
    container, size = training.get("original", "TFLite file"), f"{target.stat().st_size / 1000:.0f}"
    found, _, accuracy = training["layout"].partition(" reads ")
    layout = f"found: {found}" if accuracy else found
    if scores is None:
        return source.name, container, size, *["untrained"] * 2, *["-"] * 4, layout
    after = scores["top1"]
    before = scores.get("original_top1")
    return (
        source.name,
        container,
        size,
        "-" if before is None else f"{before:.2%}",
        f"{after:.2%}",
        "-" if before is None else f"{100 * (after - before):+.2f}",
        f"{scores['agreement_with_original']:.1%}" if before else "-",
        f"{scores['macro_f1']:.2%}",
        f"{scores['ece_before_temperature']:.1%}, {scores['ece']:.1%}",
        layout,
    )


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
