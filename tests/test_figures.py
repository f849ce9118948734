"""Figures of the bundled networks in the documents equal those of their cards and files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer_edge.config.model import ClassifySettings

REPOSITORY = Path(__file__).resolve().parent.parent
MODELS = REPOSITORY / "fer_edge" / "models"
EXPRESSION = ["nano", "small"]
PERCENT = 0.055  # half of the last digit that a page shows of a percentage, and half of that of the card
POINTS = 0.015  # of a difference of two figures of the card, each with half a hundredth of a point, and of the page


def text(page: str) -> str:
    """The page in one line, comment signs of YAML left out, so that a number may stand at any line's end."""
    return re.sub(r"\s+(# )?", " ", (REPOSITORY / page).read_text(encoding="utf-8"))


def figures(page: str, pattern: str) -> list[float]:
    """The numbers that the pattern's groups find in the page, which says so once."""
    (found,) = re.finditer(pattern, text(page))
    return [float(number.replace(",", "")) for number in found.groups()]


def card(name: str) -> dict[str, Any]:
    return json.loads((MODELS / f"fer-{name}.json").read_text(encoding="utf-8"))


def scores(name: str) -> dict[str, float]:
    return card(name)["scores"]["PublicTest"]


def size_bytes(name: str) -> int:
    return (MODELS / f"fer-{name}.tflite").stat().st_size


def row(name: str) -> list[float]:
    """Of docs/accuracy.md's first table: top-1, macro-F1 and ECE in %, points that int8 is below float, kB, time."""
    percent, points = r"([\d.]+) ?%", r"(-?[\d.]+) points"
    cells = rf"\| `{name}`[^|]*\| {percent} \| {percent} \| {percent} \| {points} \| ([\d,]+) kB \| ([\d.]+) \|"
    return figures("docs/accuracy.md", cells)


def test_the_networks_that_ship_are_those_with_a_row_here() -> None:
    assert sorted(path.stem for path in MODELS.glob("*.tflite")) == ["fer-face", "fer-nano", "fer-small"]
    assert [name for name in EXPRESSION if card(name)["kind"] == "expression"] == EXPRESSION


def test_first_page_names_the_detector_s_size_and_the_default_network_s_size_and_score() -> None:
    face_kb, network_mb, top1 = figures(
        "README.md",
        r"a face detector \(([\d,]+) kB\) and an expression network \(([\d.]+) MB, top-1 ([\d.]+) ?% on FER-2013's Pub",
    )
    default = ClassifySettings().model
    assert face_kb == pytest.approx(size_bytes("face") / 1e3, abs=0.5)
    assert network_mb == pytest.approx(size_bytes(default) / 1e6, abs=0.05)
    assert top1 == pytest.approx(100 * scores(default)["top1"], abs=PERCENT)


@pytest.mark.parametrize("name", EXPRESSION)
def test_table_of_scores_is_the_card_s_and_the_file_s(name: str) -> None:
    measured = scores(name)
    top1, macro_f1, ece, below_float, size_kb, _ = row(name)
    assert top1 == pytest.approx(100 * measured["top1"], abs=PERCENT)
    assert macro_f1 == pytest.approx(100 * measured["macro_f1"], abs=PERCENT)
    assert ece == pytest.approx(100 * measured["ece"], abs=PERCENT)
    assert below_float == pytest.approx(100 * (measured["original_top1"] - measured["top1"]), abs=POINTS)
    assert size_kb == pytest.approx(size_bytes(name) / 1e3, abs=0.5)


@pytest.mark.parametrize("name", EXPRESSION)
def test_best_epoch_of_the_run_that_ships_is_told(name: str) -> None:
    best = card(name)["training"]["trained"]["result"]["best"]
    told = re.findall(r"\| `(\w+)`[^|]* \| ([\d.]+) ?% in epoch (\d+)", text("docs/accuracy.md"))
    of_it = [float(percent) for network, percent, epoch in told if (network, int(epoch)) == (name, best["epoch"])]
    assert of_it == [pytest.approx(100 * best["val_accuracy"], abs=0.05)]


def test_number_of_faces_that_were_asked_is_told() -> None:
    (faces,) = figures("docs/accuracy.md", r"PublicTest \(([\d,]+) faces")
    assert [scores(name)["faces"] for name in EXPRESSION] == [faces, faces]


def test_settings_say_what_nano_costs_and_spares_in_the_figures_of_the_table() -> None:
    """The points are those between the two scores as the table rounds them, which a reader can work out."""
    (points,) = figures("config.yaml", r"nano takes a sixth of the time and is ([\d.]+) points less accurate")
    nano, small = row("nano"), row("small")
    assert points == pytest.approx(small[0] - nano[0], abs=1e-9)
    assert points == pytest.approx(100 * (scores("small")["top1"] - scores("nano")["top1"]), abs=2 * PERCENT)
    assert small[-1] / nano[-1] == pytest.approx(6, abs=0.5)
