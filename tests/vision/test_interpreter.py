"""Interpreter: quantization, and one-line errors for broken files."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import ModelError
from fer_edge.vision.interpreter import (
    MAX_MODEL_BYTES,
    Interpreter,
    TensorSpec,
    dequantize,
    pixel_table,
    quantize,
    read_model,
)

UINT8 = TensorSpec((1, 4), np.dtype(np.uint8), scale=0.5, zero_point=10)
INT8 = TensorSpec((1, 4), np.dtype(np.int8), scale=0.5, zero_point=-10)
FLOAT = TensorSpec((1, 4), np.dtype(np.float32), scale=0.0, zero_point=0)


def test_quantizing_rounds_before_it_casts():
    assert quantize(np.array([0.0, 0.26, 0.74, 1.4, -0.3]), UINT8).tolist() == [10, 11, 11, 13, 9]


def test_quantizing_clips_instead_of_wrapping():
    assert quantize(np.array([-1000.0, 1000.0]), UINT8).tolist() == [0, 255]
    assert quantize(np.array([-1000.0, 1000.0]), INT8).tolist() == [-128, 127]


def test_dequantizing_widens_before_it_subtracts():
    assert dequantize(np.array([-128, 127], np.int8), INT8).tolist() == [-59.0, 68.5]
    assert dequantize(np.array([0, 255], np.uint8), UINT8).tolist() == [-5.0, 122.5]


def test_a_float_tensor_stores_values_as_they_are():
    values = np.array([0.1, -2.5], np.float32)
    assert quantize(values, FLOAT).dtype == np.float32
    assert np.array_equal(dequantize(quantize(values, FLOAT), FLOAT), values)


def test_what_was_quantized_reads_back_within_half_a_step():
    values = np.linspace(-4, 120, 1001)
    back = dequantize(quantize(values, UINT8), UINT8)
    assert np.abs(back - values).max() <= 0.25 + 1e-6


def test_the_pixel_table_holds_what_each_grey_value_is_fed_as():
    spec = TensorSpec((1, 48, 48, 1), np.dtype(np.int8), scale=2 / 255, zero_point=0)
    table = pixel_table(spec, mean=127.5, std=127.5)
    assert table.dtype == np.int8
    assert table[[0, 128, 255]].tolist() == [-128, 0, 127]  # -127.5 and 127.5 to even, then 0.5 to even; clipped
    assert pixel_table(FLOAT, mean=0.0, std=255.0)[51] == np.float32(0.2)


def test_an_int8_network_has_its_specification_and_runtime(int8_model: Path):
    interpreter = Interpreter(int8_model.read_bytes(), "net")
    assert interpreter.input.shape == (1, 64, 64, 1)
    assert interpreter.input.dtype == np.uint8
    assert interpreter.output.shape == (1, 7)
    assert interpreter.runtime.split()[0] in {"ai-edge-litert", "tflite-runtime"}


def test_an_answer_stays_what_it_was_when_the_network_runs_again(int8_model: Path):
    interpreter = Interpreter(int8_model.read_bytes(), "net")
    first = interpreter.invoke(np.zeros((1, 64, 64, 1), np.uint8))
    kept = first.copy()
    noise = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 1), dtype=np.uint8)
    assert not np.array_equal(interpreter.invoke(noise), kept)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("length", [0, 4, 100, 50_000, 99_000])
def test_a_truncated_model_is_refused_in_one_line(int8_model: Path, length):
    if Interpreter(int8_model.read_bytes(), "net").runtime.startswith("tflite-runtime"):
        pytest.skip("tflite-runtime verifies nothing; the card's hash keeps such a file from it")
    with pytest.raises(ModelError) as caught:
        Interpreter(int8_model.read_bytes()[:length], "net.tflite")
    assert str(caught.value).startswith("net.tflite: ")
    assert "\n" not in str(caught.value)


def test_garbage_is_refused():
    with pytest.raises(ModelError, match="TFLite"):
        Interpreter(np.random.default_rng(1).bytes(50_000), "net.tflite")


def test_unreadable_files_are_reported_with_their_setting(tmp_path: Path):
    (tmp_path / "empty").touch()
    for name, word in [("absent", "no such"), ("", "cannot be read"), ("empty", "empty")]:
        with pytest.raises(ModelError, match=word) as caught:
            read_model(tmp_path / name, "detect.model")
        assert "detect.model" in str(caught.value)


def test_loading_a_network_prints_nothing(int8_model: Path):
    code = """
import pathlib, sys
from fer_edge.vision.interpreter import Interpreter
Interpreter(pathlib.Path(sys.argv[1]).read_bytes(), "net")
"""
    done = subprocess.run([sys.executable, "-c", code, str(int8_model)], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_without_any_runtime_the_package_to_install_is_named():
    code = """
import sys
sys.modules["ai_edge_litert"] = sys.modules["tflite_runtime"] = None
from fer_edge.errors import ModelError
from fer_edge.vision.interpreter import Interpreter
try:
    Interpreter(b"....TFL3", "net")
except ModelError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60)
    assert "pip install ai-edge-litert" in done.stdout


@pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="needs the newer runtime to stand in for the older")
def test_where_only_the_older_runtime_is_installed_it_is_used(tmp_path: Path, int8_model: Path):
    """tflite-runtime has no wheel for every Python; a package of its name with the same Interpreter stands in."""
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (package / "__init__.py").write_text('__version__ = "2.14.0"\n')
    (package / "interpreter.py").write_text("from litert_elsewhere.interpreter import Interpreter\n")
    code = """
import sys, pathlib, types
import ai_edge_litert.interpreter as real
sys.modules["litert_elsewhere"] = types.ModuleType("litert_elsewhere")
sys.modules["litert_elsewhere.interpreter"] = real
sys.modules["ai_edge_litert"] = None
del sys.modules["ai_edge_litert.interpreter"]
sys.path.insert(0, sys.argv[1])
from fer_edge.vision.interpreter import Interpreter
print(Interpreter(pathlib.Path(sys.argv[2]).read_bytes(), "net").runtime)
"""
    arguments = [sys.executable, "-c", code, str(tmp_path), str(int8_model)]
    done = subprocess.run(arguments, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.strip() == "tflite-runtime 2.14.0"


def lacking(code: int, version: int = 1, custom: str | None = None) -> Callable[[Any], None]:
    """Another operation in the place of all convolutions."""

    def change(model: Any) -> None:
        one = model.operatorCodes[0]
        one.builtinCode, one.deprecatedBuiltinCode, one.version, one.customCode = code, min(code, 127), version, custom
        for operator in model.subgraphs[0].operators if custom else ():
            if operator.opcodeIndex == 0:
                operator.builtinOptions, operator.builtinOptionsType = None, 0

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lacking(3, version=99), "has CONV_2D of version 99, which is newer than ai-edge-litert "),
        (lacking(250), "has operation number 250, which is newer than ai-edge-litert "),
        (
            lacking(32, custom="edgetpu-custom-op"),
            "is compiled for a Coral (Edge TPU): use the file before edgetpu_com",
        ),
        (lacking(32, custom="FlexErf"), "has TensorFlow operations (Flex) that ai-edge-litert "),
        (lacking(32, custom="MyOwn"), "has a custom operation, MyOwn, that ai-edge-litert "),
    ],
)
def test_operation_that_the_runtime_lacks_is_the_reason(crafted: Callable[..., Path], change, words: str):
    with pytest.raises(ModelError) as caught:
        Interpreter(crafted(change).read_bytes(), "net.tflite")
    assert str(caught.value).startswith(f"net.tflite: {words}")
    assert "\n" not in str(caught.value)


def test_a_scale_of_a_float_tensor_is_not_used(crafted: Callable[..., Path]):
    def scaled(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.type = 0

    with contextlib.suppress(ModelError):  # refused, or floats as they are
        assert Interpreter(crafted(scaled).read_bytes(), "net").input.scale == 0.0


@pytest.mark.parametrize("kind", ["device", "fifo", "socket", "large"])
def test_only_a_regular_file_of_a_model_s_size_is_read(tmp_path: Path, kind: str):
    path = tmp_path / "net.tflite"
    with socket.socket(socket.AF_UNIX) as listener:
        match kind:
            case "device":
                path.symlink_to("/dev/zero")
            case "fifo":
                os.mkfifo(path)
            case "socket":
                listener.bind(str(path))
            case "large":
                with path.open("wb") as file:
                    file.truncate(MAX_MODEL_BYTES + 1)  # a hole: it takes no room
        with pytest.raises(ModelError, match=r"net\.tflite: the model file cannot be read \(.*\): check detect\.model"):
            read_model(path, "detect.model")
