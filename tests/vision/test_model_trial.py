"""Model trial: a model that crashes its library ends a child process, and the daemon with a one-line error."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.config.model import DetectSettings
from fer_edge.errors import EXIT_BAD_CONFIG, ModelError, UnsafeModel
from fer_edge.vision.classifier import load_classifier
from fer_edge.vision.model_card import DETECTOR, load_detector_card, save_card, sha256_of
from fer_edge.vision.model_trial import try_model
from fer_edge.vision.tflite_detector import SHIPPED, load_detector

Craft = Callable[[Callable[[Any], None]], Path]


def without_a_scale(model: Any) -> None:
    """An inner tensor of int8 without its scale: LiteRT 2.3 reads it all the same, and its C++ library aborts."""
    model.subgraphs[0].tensors[36].quantization.scale = []


def huge(model: Any) -> None:
    """An output that no machine has the memory for."""
    model.subgraphs[0].tensors[26].shape = [1, 2**14, 2**14, 2**10]


def test_model_that_crashes_its_library_is_named_and_the_process_goes_on(crafted: Craft) -> None:
    path = crafted(without_a_scale)
    with pytest.raises(UnsafeModel) as caught:
        load_classifier(path)
    assert str(caught.value).startswith(f"{path}: crashes the library that runs it (SIG")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == EXIT_BAD_CONFIG


def test_detector_that_crashes_its_library_is_named_too(crafted: Craft) -> None:
    path = crafted(without_a_scale)
    card = load_detector_card(SHIPPED)
    save_card(msgspec.structs.replace(card, sha256=sha256_of(path.read_bytes()), kind=DETECTOR), path)
    with pytest.raises(UnsafeModel, match=r"crafted\.tflite: crashes"):
        load_detector(DetectSettings(backend="own", model=str(path)))


def test_command_line_names_the_model_that_crashes_and_exits_as_for_bad_settings(
    crafted: Craft, tmp_path: Path
) -> None:
    path = crafted(without_a_scale)
    (tmp_path / "config.yaml").write_text(f"classify: {{model: {path}}}\ncamera: {{source: {tmp_path}/none.mp4}}\n")
    command = [sys.executable, "-m", "fer_edge", "run", "--config", str(tmp_path / "config.yaml")]
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == EXIT_BAD_CONFIG
    assert done.stderr.splitlines()[-1].startswith(f"fer-edge: {path}: crashes the library that runs it")
    assert "Traceback" not in done.stderr


def test_model_that_takes_too_much_memory_is_refused(crafted: Craft) -> None:
    with pytest.raises(ModelError, match=r"crafted\.tflite: "):
        load_classifier(crafted(huge))


def test_refusal_of_the_child_is_the_reason_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^no\.tflite: is not a TFLite model: copy the file again") as caught:
        try_model(b"no model", "no.tflite", "expression")
    assert not isinstance(caught.value, UnsafeModel)


def test_file_that_is_no_yunet_model_is_refused_by_the_child() -> None:
    with pytest.raises(ModelError, match=r"^no\.onnx: is not a YuNet model"):
        try_model(b"no model", "no.onnx", "yunet")


def test_yunet_model_passes(data: Path) -> None:
    path = data / "models/detector/yunet_n_320_320.onnx"
    try_model(path.read_bytes(), path.name, "yunet")


def test_models_that_ship_start_no_process_and_others_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    caplog.set_level(logging.WARNING)
    for name in ("fer-small", "fer-nano", "fer-face"):
        try_model(Path(str(files("fer_edge.models") / f"{name}.tflite")).read_bytes(), name, "expression")
    assert caplog.messages == []
    content = Path(str(files("fer_edge.models") / "fer-nano.tflite")).read_bytes()
    try_model(content + b"\0", "mine", "expression")
    assert caplog.messages == [
        "mine: cannot be tried in a child process (No such file or directory), loading it without a trial"
    ]
