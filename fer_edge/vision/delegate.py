"""Delegate inspection: whether XNNPACK runs the network. Without it the runtime is a hundred times slower, silently.

Two measurements on the loaded network: the share of operations that a delegate took over, and the time per face.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.vision.interpreter import Interpreter

RUNS = 5  # the fastest counts: disturbances only make a run slower
CPUINFO = Path("/proc/cpuinfo")  # XNNPACK reads CPU features from it, and is disabled without it

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DelegateInfo:
    """Delegate of a loaded network, and its speed."""

    xnnpack: bool | None
    """True if XNNPACK runs at least a part of it; None if the runtime does not list its operations."""
    share: float | None
    """Share of the network's operations that it runs, 0 to 1."""
    face_ms: float
    """Milliseconds per face, the network alone."""


def inspect_delegate(interpreter: Interpreter) -> DelegateInfo:
    """Measure at the start of the daemon, and log the result."""
    info = measure(interpreter)
    level = logging.WARNING if info.xnnpack is False else logging.INFO
    logger.log(level, "the network runs on %s: %s", interpreter.runtime, describe(info))
    return info


def measure(interpreter: Interpreter, clock: Callable[[], float] = time.perf_counter) -> DelegateInfo:
    """Inspect a loaded network and time it on a blank input."""
    blank = np.zeros(interpreter.input.shape, interpreter.input.dtype)
    interpreter.invoke(blank)  # warm-up
    took_s = []
    for _ in range(RUNS):
        begin = clock()
        interpreter.invoke(blank)
        took_s.append(clock() - begin)
    share = delegated_share(interpreter.operations)
    return DelegateInfo(None if share is None else share > 0, share, round(1000.0 * min(took_s), 2))


def delegated_share(operations: Sequence[Mapping[str, Any]] | None) -> float | None:
    """Share, 0 to 1, of a graph's operations that delegates took over; None if ``operations`` are unknown.

    The runtime lists the original graph followed by each delegate with its input and output tensors. The operations it
    took over are found by walking back from the outputs to the inputs.
    """
    if not operations:
        return None
    delegates = [one for one in operations if one["op_name"] == "DELEGATE"]
    graph = [one for one in operations if one["op_name"] != "DELEGATE"]
    maker = {int(tensor): number for number, one in enumerate(graph) for tensor in one["outputs"]}
    taken: set[int] = set()
    for delegate in delegates:
        inputs = {int(tensor) for tensor in delegate["inputs"]}
        taken |= _between(inputs, delegate["outputs"], maker, graph)
    return len(taken) / len(graph)


def describe(info: DelegateInfo) -> str:
    """One line for `fer-edge check` and the log: `XNNPACK, 0.70 ms per face`, or what is wrong."""
    time_taken = f"{info.face_ms:.2f} ms per face"
    if info.share is None:
        return time_taken
    if not info.xnnpack:
        why = "" if _readable(CPUINFO) else ": /proc/cpuinfo cannot be read (ProcSubset=pid in a unit hides it)"
        return f"without XNNPACK, slow, {time_taken}{why}"
    return f"XNNPACK{'' if info.share == 1.0 else f' for {info.share:.0%} of the operations'}, {time_taken}"


def _between(
    inputs: set[int], outputs: Iterable[Any], maker: Mapping[int, int], graph: Sequence[Mapping[str, Any]]
) -> set[int]:
    """Indices of the operations that compute the tensors ``outputs`` from the tensors ``inputs``."""
    found: set[int] = set()
    left = [int(tensor) for tensor in outputs]
    while left:
        tensor = left.pop()
        if tensor in inputs or tensor not in maker or maker[tensor] in found:
            continue
        found.add(maker[tensor])
        left += [int(one) for one in graph[maker[tensor]]["inputs"]]
    return found


def _readable(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True
