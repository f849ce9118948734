"""Delegate inspection: hand-made graphs and the bundled network."""

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.vision.delegate import DelegateInfo, delegated_share, describe, measure
from fer_edge.vision.interpreter import Interpreter

SHIPPED = Path(__file__).resolve().parents[2] / "fer_edge" / "models" / "fer-nano.tflite"


def op(name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"op_name": name, "inputs": np.array(inputs), "outputs": np.array(outputs)}


# 0 -> quantize -> 1 -> convolve (weights 10) -> 2 -> convolve (weights 11) -> 3 -> softmax -> 4
CHAIN = [
    op("QUANTIZE", [0], [1]),
    op("CONV_2D", [1, 10], [2]),
    op("CONV_2D", [2, 11], [3]),
    op("SOFTMAX", [3], [4]),
]


@pytest.mark.parametrize(
    ("delegates", "share"),
    [
        ([], 0.0),
        ([op("DELEGATE", [0, 10, 11], [4])], 1.0),
        ([op("DELEGATE", [1, 10, 11], [3])], 0.5),  # softmax and quantize stay outside
        ([op("DELEGATE", [0], [1]), op("DELEGATE", [2, 11], [3])], 0.5),
    ],
)
def test_share_is_what_lies_between_a_delegates_inputs_and_outputs(delegates: list[dict[str, Any]], share: float):
    assert delegated_share(CHAIN + delegates) == share


def test_branch_that_joins_again_is_counted_once():
    graph = [op("A", [0], [1]), op("B", [1], [2]), op("C", [1], [3]), op("ADD", [2, 3], [4])]
    assert delegated_share([*graph, op("DELEGATE", [1], [4])]) == 0.75


def test_runtime_without_a_list_of_operations_has_no_share():
    assert delegated_share(None) is None
    assert delegated_share([]) is None


def test_shipped_network_runs_on_xnnpack_as_a_whole():
    interpreter = Interpreter(SHIPPED.read_bytes(), "net")
    if interpreter.runtime.startswith("tflite-runtime"):
        pytest.skip("the older runtime runs int8 without XNNPACK")
    kernels = measure(interpreter)
    assert (kernels.xnnpack, kernels.share) == (True, 1.0)


def test_network_without_delegates_is_found_out():
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    plain = interpreter.Interpreter(
        model_path=str(SHIPPED),
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    plain.allocate_tensors()
    assert delegated_share(plain._get_ops_details()) == 0.0


def test_quickest_of_the_runs_is_what_a_face_takes():
    ticks = count()
    interpreter = Interpreter(SHIPPED.read_bytes(), "net")
    # begin and end of five runs: 7, 5, 3, 9 and 11 ms
    script = [0.0, 0.007, 1.0, 1.005, 2.0, 2.003, 3.0, 3.009, 4.0, 4.011]
    assert measure(interpreter, clock=lambda: script[next(ticks)]).face_ms == 3.0


def test_description_names_the_fault_only_if_there_is_one():
    assert describe(DelegateInfo(True, 1.0, 0.7)) == "XNNPACK, 0.70 ms per face"
    assert describe(DelegateInfo(True, 0.5, 0.7)) == "XNNPACK for 50% of the operations, 0.70 ms per face"
    assert describe(DelegateInfo(False, 0.0, 90.0)) == "without XNNPACK, slow, 90.00 ms per face"
    assert describe(DelegateInfo(None, None, 3.0)) == "3.00 ms per face"
