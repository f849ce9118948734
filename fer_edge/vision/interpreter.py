"""TFLite interpreter for networks with one input and one output, on LiteRT or its predecessor tflite-runtime.

`Interpreter` wraps the runtime; quantization is in pure functions. `invoke` returns a copy, never the interpreter's
memory.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.untrusted import read_regular

logger = logging.getLogger(__name__)

RUNTIMES = (("ai_edge_litert", "ai-edge-litert"), ("tflite_runtime", "tflite-runtime"))  # module, package; best first
IDENTIFIER, IDENTIFIER_AT = b"TFL3", slice(4, 8)  # of the flatbuffer's root; schema.fbs of TensorFlow Lite
DTYPES = (np.uint8, np.int8, np.float32)
MAX_MODEL_BYTES = 256 * 1024 * 1024  # 100 times the size of a network that runs in real time on a Raspberry Pi
NEWER = "install a newer runtime, or convert the model again with an older TensorFlow"
# Error messages of the runtimes about unsupported operations, and their meaning; the first match counts.
LACKING = (
    (re.compile("edgetpu-custom-op"), "is compiled for a Coral (Edge TPU): use the file before edgetpu_compiler"),
    (
        re.compile(r"Select TensorFlow op|\(Flex\w+\)"),
        "has TensorFlow operations (Flex) that {runtime} lacks: convert it again with TFLITE_BUILTINS only",
    ),
    (
        re.compile(r"builtin opcode '(\w+)' version '(\d+)'"),
        f"has {{0}} of version {{1}}, which is newer than {{runtime}}: {NEWER}",
    ),
    (
        re.compile(r"builtin_code out of range: (\d+)"),
        f"has operation number {{0}}, which is newer than {{runtime}}: {NEWER}",
    ),
    (
        re.compile(r"unresolved custom op: (.+?)\.?$", re.MULTILINE),
        "has a custom operation, {0}, that {runtime} lacks: use a model without it",
    ),
)


@contextmanager
def captured_native_stderr(report: Callable[[str, bool], None]) -> Iterator[None]:
    """Capture file descriptor 2 during the block; then call ``report`` with the text and whether the block raised.

    For short calls only: other threads' log calls block until the end.
    """
    try:
        original = os.dup(2)
    except OSError:  # the process has no stderr
        yield
        return
    failed = True
    # In memory, so that a full disk does not prevent the start.
    with _locked_log_handlers(), os.fdopen(os.memfd_create("stderr"), "w+b") as captured:
        sys.stderr.flush()
        os.dup2(captured.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            captured.seek(0)
            report(captured.read().decode(errors="replace"), failed)


@contextmanager
def _locked_log_handlers() -> Iterator[None]:
    """Hold the locks of all log handlers, so that other threads' log lines are not captured."""
    with ExitStack() as held:
        for handler in logging.getLogger().handlers:
            handler.acquire()
            held.callback(handler.release)
        yield


def logged_native_stderr(library: str) -> AbstractContextManager[None]:
    """Capture file descriptor 2 during the block; then log its lines with the prefix ``library``.

    INFO lines become debug. Others become warnings, or debug if the block raises, because the exception has the reason.
    """
    return captured_native_stderr(partial(_log, library))


def _log(library: str, text: str, failed: bool) -> None:  # noqa: FBT001  signature of captured_native_stderr's callback
    for line in filter(None, map(str.strip, text.splitlines())):
        harmless = failed or line.startswith(("INFO:", "[ INFO:"))
        logger.log(logging.DEBUG if harmless else logging.WARNING, "%s: %s", library, line)


class TensorSpec(msgspec.Struct, frozen=True):
    """One tensor of a network: real value = scale * (stored value - zero_point); a scale of 0 means unquantized."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Interpreter:
    """Loaded network. Not thread-safe; its creator owns it.

    Raises ModelError if ``content`` is not a TFLite file, or the network has several inputs or outputs, or tensors of a
    type other than uint8, int8 and float32. ``name`` is the file's name in messages. A damaged or malicious file may
    crash the runtime and the process: compare the card's hash and try the file in a child process first
    (`model_trial`), as `load_classifier` does.
    """

    input: TensorSpec
    output: TensorSpec
    runtime: str
    """Package and version, such as `ai-edge-litert 2.3.0`."""
    operations: Sequence[Mapping[str, Any]] | None
    """The graph's operations and delegates as listed by the runtime, for `delegated_share`; None if it lists none."""

    def __init__(self, content: bytes, name: str, threads: int = 1) -> None:
        if content[IDENTIFIER_AT] != IDENTIFIER:
            raise ModelError(f"{name}: is not a TFLite model: copy the file again, or use another")
        self.runtime, interpreter_class = _runtime()
        self._name = name
        with self._model_errors(), logged_native_stderr(self.runtime):
            self._interpreter = interpreter_class(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
            self._read_details()

    def resize(self, shape: tuple[int, ...]) -> None:
        """Change the input to ``shape``, for networks with a variable input size.

        Costs as much as some invocations: XNNPACK plans its memory again. ModelError if the network cannot.
        """
        try:
            with logged_native_stderr(self.runtime):
                self._interpreter.resize_tensor_input(self._input_index, shape)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self._name}: supports no other input size than its own: use another model") from error
        self._read_details()

    @contextmanager
    def _model_errors(self) -> Iterator[None]:
        """Convert the runtime's exceptions to ModelError with the reason."""
        try:
            yield
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            raise ModelError(f"{self._name}: {reason_of(str(error), self.runtime)}") from error

    def _read_details(self) -> None:
        """Read the current input and output specifications."""
        self._input_index, self.input = _only(self._interpreter.get_input_details(), self._name, "input")
        self._output_index, self.output = _only(self._interpreter.get_output_details(), self._name, "output")
        self.operations = _operations(self._interpreter)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the network on ``tensor`` (shape and dtype of the input); return a copy of the output."""
        self._interpreter.set_tensor(self._input_index, tensor)
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        return output


def reason_of(message: str, runtime: str) -> str:
    """Return why the runtime rejects a model, and what to do, from its exception's ``message``."""
    for pattern, text in LACKING:
        if found := pattern.search(message):
            return text.format(*found.groups(), runtime=runtime)
    first = (message.splitlines() or ["no reason given"])[0]
    return f"is not a TFLite model that runs here ({first}): copy the file again"


def read_model(path: Path, key: str) -> bytes:
    """Read the model file of the setting ``key``.

    Raises:
        ModelError: it cannot be read, is empty, larger than MAX_MODEL_BYTES, or not a regular file.
    """
    try:
        content = read_regular(path, MAX_MODEL_BYTES)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file: check {key}") from None
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror or error}): check {key}") from error
    if not content:
        raise ModelError(f"{path}: the model file is empty: copy it again, or set {key} to another")
    return content


def quantize(values: NDArray[np.floating[Any]], spec: TensorSpec) -> NDArray[Any]:
    """Real ``values`` as the tensor stores them: rounded, then clipped, then cast.

    A cast alone truncates, which changes 14% of the pixels of a face, and wraps values out of range.
    """
    if spec.scale == 0:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    stored = np.rint(values / spec.scale) + spec.zero_point
    clipped: NDArray[Any] = np.clip(stored, limits.min, limits.max).astype(spec.dtype)
    return clipped


def dequantize(stored: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real values of a tensor's ``stored`` values, float32 of the same shape."""
    real = stored.astype(np.float32)  # before the subtraction, which would wrap in int8
    if spec.scale == 0:
        return real
    return (real - np.float32(spec.zero_point)) * np.float32(spec.scale)


def pixel_table(spec: TensorSpec, mean: float, std: float) -> NDArray[Any]:
    """(256,) in the tensor's dtype: (value - mean) / std of each grey value, quantized.

    Replaces the arithmetic by one table look-up per pixel, with the same result on every machine.
    """
    return quantize((np.arange(256, dtype=np.float64) - mean) / std, spec)


def _only(details: list[Mapping[str, Any]], name: str, role: str) -> tuple[int, TensorSpec]:
    """Index and specification of a network's only input or output."""
    if len(details) != 1:
        raise ModelError(f"{name}: has {len(details)} {role}s, not one: use another model")
    detail = details[0]
    dtype = np.dtype(detail["dtype"])
    if dtype not in DTYPES:
        raise ModelError(f"{name}: {role} is {dtype}, must be uint8, int8 or float32: convert the model again")
    scale, zero_point = detail["quantization"]
    if dtype != np.float32 and not scale > 0:
        raise ModelError(f"{name}: {role} is {dtype} without a scale: convert the model again with quantization")
    shape = tuple(int(side) for side in detail["shape"])
    if dtype == np.float32:
        scale, zero_point = 0.0, 0  # values in the file are ignored
    return int(detail["index"]), TensorSpec(shape, dtype, float(scale), int(zero_point))


def _operations(interpreter: Any) -> Sequence[Mapping[str, Any]] | None:
    """Operations of the graph. There is no public API; this method has been in both runtimes for years."""
    try:
        operations: Sequence[Mapping[str, Any]] = interpreter._get_ops_details()  # noqa: SLF001
    except AttributeError:
        return None
    return operations


@cache
def _runtime() -> tuple[str, Any]:
    """(package and version, Interpreter class) of the best installed runtime; ModelError if there is none.

    The version is the module's own: importlib.metadata imports the email package, 10% of the start time.
    """
    for module, package in RUNTIMES:
        try:
            interpreter_class = import_module(f"{module}.interpreter").Interpreter
            return f"{package} {import_module(module).__version__}", interpreter_class
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != module:
                raise  # installed but broken: a different error
    raise ModelError(
        "no TFLite runtime is installed: `pip install ai-edge-litert` (or tflite-runtime on an old system)"
    )
