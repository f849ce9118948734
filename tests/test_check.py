from pathlib import Path

import pytest
from msgspec.structs import replace

from fer_edge.check import describe_vision
from fer_edge.config import ClassifySettings, Settings
from fer_edge.vision.card import load_card, save_card
from fer_edge.vision.vision import build_vision, model_path


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"PublicTest": {"top1": 0.5, "faces": 10.0}}, ", 50.0 % on PublicTest; "),
        ({"PublicTest": {"top1": 0.5}, "Street": {"recall": 0.9}}, ", 50.0 % on PublicTest; "),
        ({}, "); "),
    ],
)
def test_network_is_described_by_the_scores_that_its_card_has(
    tmp_path: Path, scores: dict[str, dict[str, float]], words: str
) -> None:
    shipped = model_path("nano")
    model = tmp_path / "net.tflite"
    model.write_bytes(shipped.read_bytes())
    save_card(replace(load_card(shipped), name="mine", scores=scores), model)
    line = describe_vision(build_vision(Settings(classify=ClassifySettings(model=str(model)))))
    assert line.startswith("mine (")
    assert words in line
    assert "Street" not in line
