"""Whether the runtime really uses its fast kernels, XNNPACK: it falls back without an error, a hundred times slower.

Two kinds of evidence, both taken from the loaded network itself. Which of its operations a delegate took over, because
that is what the fall-back loses; and how long one face takes, because no list of names is as good as the clock.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.vision.interpreter import Interpreter

RUNS = 5  # the quickest counts: whatever disturbs a run makes it slower, never faster
CPUINFO = Path("/proc/cpuinfo")  # what XNNPACK reads to find out what the processor can do; without it it gives up

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DelegateInfo:
    """What runs the network here."""

    xnnpack: bool | None
    """Whether XNNPACK runs at least a part of it; None where the runtime does not tell."""
    share: float | None
    """Part of the network's operations that it runs, 0 to 1."""
    face_ms: float
    """Milliseconds for one face, the network alone."""


def inspect_delegate(runner: Interpreter) -> DelegateInfo:
    """Measures at the start of the daemon, and logs what came out."""
    kernels = measure(runner)
    level = logging.WARNING if kernels.xnnpack is False else logging.INFO
    logger.log(level, "the network runs on %s: %s", runner.runtime, describe(kernels))
    return kernels


def measure(runner: Interpreter, clock: Callable[[], float] = time.perf_counter) -> DelegateInfo:
    """Looks at a loaded network and lets it run on nothing a few times."""
    blank = np.zeros(runner.input.shape, runner.input.dtype)
    runner.invoke(blank)  # the first sets things up
    took_s = []
    for _ in range(RUNS):
        begin = clock()
        runner.invoke(blank)
        took_s.append(clock() - begin)
    share = delegated_share(runner.operations)
    return DelegateInfo(None if share is None else share > 0, share, round(1000.0 * min(took_s), 2))


def delegated_share(operations: Sequence[Mapping[str, Any]] | None) -> float | None:
    """The part, 0 to 1, of a graph's operations that delegates took over; None for ``operations`` that are not told.

    The runtime lists the graph as it was and, behind it, each delegate with the tensors that go in and come out. What
    it took over is found by walking back from these to those.
    """
    if not operations:
        return None
    delegates = [one for one in operations if one["op_name"] == "DELEGATE"]
    graph = [one for one in operations if one["op_name"] != "DELEGATE"]
    maker = {int(tensor): number for number, one in enumerate(graph) for tensor in one["outputs"]}
    taken: set[int] = set()
    for delegate in delegates:
        given = {int(tensor) for tensor in delegate["inputs"]}
        taken |= _between(given, delegate["outputs"], maker, graph)
    return len(taken) / len(graph)


def describe(kernels: DelegateInfo) -> str:
    """For `fer-edge check` and the log: `XNNPACK, 0.70 ms a face`, or what is wrong."""
    time_taken = f"{kernels.face_ms:.2f} ms a face"
    if kernels.share is None:
        return time_taken
    if not kernels.xnnpack:
        why = "" if _readable(CPUINFO) else ": /proc/cpuinfo cannot be read (ProcSubset=pid in a unit hides it)"
        return f"without XNNPACK, slow, {time_taken}{why}"
    return f"XNNPACK{'' if kernels.share == 1.0 else f' for {kernels.share:.0%} of it'}, {time_taken}"


def _between(
    given: set[int], wanted: Iterable[Any], maker: Mapping[int, int], graph: Sequence[Mapping[str, Any]]
) -> set[int]:
    """The operations, by number, that make ``wanted`` tensors of ``given`` ones."""
    found: set[int] = set()
    left = [int(tensor) for tensor in wanted]
    while left:
        tensor = left.pop()
        if tensor in given or tensor not in maker or maker[tensor] in found:
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
