"""A network with its card in a folder of its own, so that tests can damage either."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.vision.card import Card, CardInput, save_card, sha256_of

FER2013_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def int8_model(data: Path, tmp_path: Path) -> Path:
    """Somebody else's int8 network, 64 px, uint8 [0, 1] in, probabilities in FER-2013's order out, with its card."""
    return with_card(
        tmp_path,
        data / "models/tflite/mini_XCEPTION_int8.tflite",
        CardInput(height=64, width=64, mean=0.0, std=255.0),
    )


@pytest.fixture
def float_model(data: Path, tmp_path: Path) -> Path:
    """Somebody else's float network, 48 px, [0, 1] in, with its card."""
    return with_card(
        tmp_path, data / "models/tflite/overall_best.tflite", CardInput(height=48, width=48, mean=0.0, std=255.0)
    )


@pytest.fixture
def rewritten(int8_model: Path) -> Callable[[Callable[[str], str]], Path]:
    """Changes the text of the int8 network's card and gives the network's path."""

    def rewrite(change: Callable[[str], str]) -> Path:
        card = int8_model.with_suffix(".json")
        before = card.read_text()
        after = change(before)
        assert after != before, "the test changed nothing"
        card.write_text(after)
        return int8_model

    return rewrite


def with_card(folder: Path, source: Path, network_input: CardInput) -> Path:
    """A copy of ``source`` in ``folder`` with a card of FER-2013's order beside it."""
    model = folder / source.name
    shutil.copy(source, model)
    card = Card(
        name=source.stem,
        sha256=sha256_of(model.read_bytes()),
        labels=FER2013_ORDER,
        input=network_input,
        output="probabilities",
    )
    save_card(card, model)
    return model
