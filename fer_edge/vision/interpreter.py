"""TFLite networks of one image in, one tensor out, on LiteRT or on the tflite-runtime that came before it.

What touches the interpreter is `Interpreter`; what the integers mean is in pure functions beside it. The interpreter's
memory never leaves: what `invoke` gives is a copy.
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
MAX_MODEL_BYTES = 256 * 1024 * 1024  # a network that a Raspberry Pi runs many times a second has a hundredth of it
NEWER = "install a newer runtime, or convert the model again with an older TensorFlow"
# What the runtimes say of operations that they lack, and what that means; the first that fits is it.
LACKING = (
    (re.compile("edgetpu-custom-op"), "is compiled for a Coral (Edge TPU): give the file before edgetpu_compiler"),
    (
        re.compile(r"Select TensorFlow op|\(Flex\w+\)"),
        "has TensorFlow operations (Flex) that {runtime} lacks: convert it again with TFLITE_BUILTINS alone",
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
def captured_native_stderr(say: Callable[[str, bool], None]) -> Iterator[None]:
    """While it lasts, file descriptor 2 is caught; then ``say`` gets what was printed, and whether the block raised.

    For short calls at start only: what other threads log meanwhile waits until it is over.
    """
    try:
        original = os.dup(2)
    except OSError:  # a process without stderr: nothing can be printed to it
        yield
        return
    failed = True
    # In memory: on a full disk there is no room for a file, and that is no reason not to start.
    with _our_log_waits(), os.fdopen(os.memfd_create("stderr"), "w+b") as caught:
        sys.stderr.flush()
        os.dup2(caught.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            say(caught.read().decode(errors="replace"), failed)


@contextmanager
def _our_log_waits() -> Iterator[None]:
    """While it lasts, other threads wait with what they log, which would be caught, too, and said in a wrong name."""
    with ExitStack() as held:
        for handler in logging.getLogger().handlers:
            handler.acquire()
            held.callback(handler.release)
        yield


def logged_native_stderr(library: str) -> AbstractContextManager[None]:
    """While it lasts, file descriptor 2 is caught; then its lines are logged as ``library``'s.

    INFO lines become debug. Others become warnings, unless the block raises: then the exception tells the story
    and they are debug too.
    """
    return captured_native_stderr(partial(_log, library))


def _log(library: str, text: str, failed: bool) -> None:  # noqa: FBT001  a caught text and its end belong together
    for line in filter(None, map(str.strip, text.splitlines())):
        harmless = failed or line.startswith(("INFO:", "[ INFO:"))
        logger.log(logging.DEBUG if harmless else logging.WARNING, "%s: %s", library, line)


class TensorSpec(msgspec.Struct, frozen=True):
    """One tensor of a network: real value = scale * (stored value - zero_point); a scale of 0 stores it as it is."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Interpreter:
    """One loaded network. Not thread-safe; who makes it owns it.

    Raises ModelError where ``content`` is no TFLite file, or of a network with several inputs or outputs, or with
    tensors of a type other than uint8, int8 and float32. ``name`` is how the file is called in messages.
    A damaged or malicious file may crash the runtime, and the process with it: compare the card's hash and try the file
    in a child process first (trial.py), as `classify.load_classifier` does.
    """

    input: TensorSpec
    output: TensorSpec
    runtime: str
    """Package and version, such as `ai-edge-litert 2.3.0`."""
    operations: Sequence[Mapping[str, Any]] | None
    """The graph's operations and delegates as the runtime lists them, for `kernels.delegated_share`; None: not told."""

    def __init__(self, content: bytes, name: str, threads: int = 1) -> None:
        if content[IDENTIFIER_AT] != IDENTIFIER:
            raise ModelError(f"{name}: is not a TFLite model: copy the file again, or name another")
        self.runtime, interpreter_class = _runtime()
        self._name = name
        with self._refused_in_one_line(), logged_native_stderr(self.runtime):
            self._interpreter = interpreter_class(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
            self._look()

    def resize(self, shape: tuple[int, ...]) -> None:
        """From now on the input is of ``shape``; for networks that take pictures of several sizes.

        Costs as much as some invocations: XNNPACK plans its memory anew. ModelError where the network cannot.
        """
        try:
            with logged_native_stderr(self.runtime):
                self._interpreter.resize_tensor_input(self._input_index, shape)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{self._name}: takes no pictures of other sizes than its own: use another model"
            ) from error
        self._look()

    @contextmanager
    def _refused_in_one_line(self) -> Iterator[None]:
        """While it lasts, what the runtime raises becomes a ModelError with the reason."""
        try:
            yield
        except (ValueError, RuntimeError, TypeError, KeyError) as error:
            raise ModelError(f"{self._name}: {reason_of(str(error), self.runtime)}") from error

    def _look(self) -> None:
        """What the network takes and gives, as it is now."""
        self._input_index, self.input = _only(self._interpreter.get_input_details(), self._name, "input")
        self._output_index, self.output = _only(self._interpreter.get_output_details(), self._name, "output")
        self.operations = _operations(self._interpreter)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """The output in its own shape and dtype, a copy, for ``tensor`` in the input's shape and dtype."""
        self._interpreter.set_tensor(self._input_index, tensor)
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        return output


def reason_of(message: str, runtime: str) -> str:
    """Return why the runtime refuses a model, and what to do, from its exception's ``message``."""
    for pattern, text in LACKING:
        if found := pattern.search(message):
            return text.format(*found.groups(), runtime=runtime)
    first = (message.splitlines() or ["no reason given"])[0]
    return f"is not a TFLite model that runs here ({first}): copy the file again"


def read_model(path: Path, key: str) -> bytes:
    """The bytes of the model file that the setting ``key`` names.

    Raises:
        ModelError: it cannot be read, is empty, larger than MAX_MODEL_BYTES, or no regular file.
    """
    try:
        content = read_regular(path, MAX_MODEL_BYTES)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file: check {key}") from None
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror or error}): check {key}") from error
    if not content:
        raise ModelError(f"{path}: the model file is empty: copy it again, or name another in {key}")
    return content


def quantize(values: NDArray[np.floating[Any]], spec: TensorSpec) -> NDArray[Any]:
    """Real ``values`` as the tensor stores them: rounded, then clipped, then cast.

    A cast alone truncates, which changes 14 % of the pixels of a face, and wraps what is out of range.
    """
    if spec.scale == 0:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    stored = np.rint(values / spec.scale) + spec.zero_point
    clipped: NDArray[Any] = np.clip(stored, limits.min, limits.max).astype(spec.dtype)
    return clipped


def dequantize(stored: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """What the tensor's ``stored`` values mean, float32 of the same shape."""
    real = stored.astype(np.float32)  # widened first: in int8 the subtraction would wrap
    if spec.scale == 0:
        return real
    return (real - np.float32(spec.zero_point)) * np.float32(spec.scale)


def pixel_table(spec: TensorSpec, mean: float, std: float) -> NDArray[Any]:
    """(256,) in the tensor's dtype: for each grey value what the network is fed, (value - mean) / std, quantized.

    One look-up a pixel then does all the arithmetic, and does it the same on every machine.
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
        scale, zero_point = 0.0, 0  # whatever the file says
    return int(detail["index"]), TensorSpec(shape, dtype, float(scale), int(zero_point))


def _operations(interpreter: Any) -> Sequence[Mapping[str, Any]] | None:
    """There is no public word for it; this one has been in both runtimes for years."""
    try:
        operations: Sequence[Mapping[str, Any]] = interpreter._get_ops_details()  # noqa: SLF001
    except AttributeError:
        return None
    return operations


@cache
def _runtime() -> tuple[str, Any]:
    """(package and version, Interpreter class) of the best runtime that is installed; ModelError where there is none.

    The version is the module's own word: importlib.metadata brings the email package with it, a tenth of the start.
    """
    for module, package in RUNTIMES:
        try:
            interpreter_class = import_module(f"{module}.interpreter").Interpreter
            return f"{package} {import_module(module).__version__}", interpreter_class
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != module:
                raise  # it is installed and broken: that has its own story
    raise ModelError(
        "no TFLite runtime is installed: `pip install ai-edge-litert` (or tflite-runtime on an old system)"
    )
