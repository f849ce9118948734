"""A network with its card in a folder of its own, so that tests can damage either."""

import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.vision.model_card import CardInput, ModelCard, load_card, save_card, sha256_of

FER2013_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def int8_model(data: Path, tmp_path: Path) -> Path:
    """Foreign int8 network, 64 px, uint8 [0, 1] in, probabilities in FER-2013's order out, with its card."""
    return with_card(
        tmp_path,
        data / "models/tflite/mini_XCEPTION_int8.tflite",
        CardInput(height=64, width=64, mean=0.0, std=255.0),
    )


@pytest.fixture
def float_model(data: Path, tmp_path: Path) -> Path:
    """Foreign float network, 48 px, [0, 1] in, with its card."""
    return with_card(
        tmp_path, data / "models/tflite/overall_best.tflite", CardInput(height=48, width=48, mean=0.0, std=255.0)
    )


@pytest.fixture
def rewritten(int8_model: Path) -> Callable[[Callable[[str], str]], Path]:
    """Change the text of the int8 network's card; return the network's path."""

    def rewrite(change: Callable[[str], str]) -> Path:
        card = int8_model.with_suffix(".json")
        before = card.read_text()
        after = change(before)
        assert after != before, "the test changed nothing"
        card.write_text(after)
        return int8_model

    return rewrite


@pytest.fixture
def crafted(tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """The smallest bundled network, its flatbuffer changed by a given function, with a matching card."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    source = Path(str(files("fer_edge.models") / "fer-nano.tflite"))

    def craft(change: Callable[[Any], None]) -> Path:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source.read_bytes(), 0))
        change(model)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "crafted.tflite"
        path.write_bytes(bytes(builder.Output()))
        card = msgspec.structs.replace(load_card(source), sha256=sha256_of(path.read_bytes()))
        save_card(card, path)
        return path

    return craft


def with_card(folder: Path, source: Path, network_input: CardInput) -> Path:
    """A copy of ``source`` in ``folder`` with a card of FER-2013's order beside it."""
    model = folder / source.name
    shutil.copy(source, model)
    card = ModelCard(
        name=source.stem,
        sha256=sha256_of(model.read_bytes()),
        labels=FER2013_ORDER,
        input=network_input,
        output="probabilities",
    )
    save_card(card, model)
    return model
