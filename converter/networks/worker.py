"""A process of its own for TensorFlow, bounded in memory and time, with the output of its libraries hidden.

TensorFlow prints to both streams from Python and C++, takes seconds and a gigabyte to start, and a damaged or hostile
file can crash it. `concurrent.futures` can neither end a worker that takes too long nor give the exit code of one that
crashed, so this is `multiprocessing` with a pipe.
"""

import contextlib
import errno
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from fer_edge.errors import UserError

# One graph for one face gains nothing from a GPU, and a training may hold it; Keras 3 must not pick another backend.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
EXTRA = {"tensorflow", "tf_keras", "keras", "h5py"}  # what `fer-edge[converter]` brings
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
GIB = 2**30

Report = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a worker process."""

    memory_bytes: int = 8 * GIB
    """Of its data segment: heap and private mappings."""
    time_s: float = 3600.0
    """From its start to its result."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """A line on what the worker is doing, for the status on the terminal."""

    text: str


def run_in_worker(function: Callable[..., T], *arguments: Any, model: Path, report: Report, limits: Limits) -> T:
    """Return ``function(*arguments, report)``, computed in a new process.

    ``function`` is a module's own; arguments and result are pickled. ``report`` is called here with each stage. Raises
    UserError, one line, where the function does, where the process dies over ``model`` or exceeds the ``limits``, and
    where the disk is full.
    """
    log = _new_log()
    keep_log = False
    try:
        with _started(_work, log, limits, model, function, arguments) as (process, receiver):
            deadline = time.monotonic() + limits.time_s
            while receiver.poll(max(0.0, deadline - time.monotonic())):
                value = receiver.recv()
                if isinstance(value, UserError):
                    raise value
                if not isinstance(value, _Stage):
                    return value  # type: ignore[no-any-return]  # what the function gave
                report(value.text)
            raise UserError(f"{model}: the conversion process took longer than {limits.time_s:g} s and was ended")
    except EOFError as error:
        keep_log = True
        death = _death(process.exitcode or 0, limits)
        raise UserError(f"{model}: {death}; its output is in {log}") from error
    finally:
        if not keep_log:
            log.unlink(missing_ok=True)


@contextlib.contextmanager
def _started(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[BaseProcess, Connection]]:
    """Run ``target`` in a process, with a pipe and ``arguments``; give it and the other end, and kill it afterwards."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(sender, *arguments), daemon=True)
    process.start()
    sender.close()
    try:
        yield process, receiver
    except EOFError:
        process.join()  # it crashed: its exit code is wanted
        raise
    finally:
        process.kill()
        process.join()
        receiver.close()


def _work(  # noqa: PLR0913, PLR0917  what crosses into the process
    sender: Connection,
    log: Path,
    limits: Limits,
    model: Path,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    """The worker's own main function. A bug ends it with its traceback in the log."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    memory = limits.memory_bytes if hard == resource.RLIM_INFINITY else min(limits.memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))
    os.environ.update(ENVIRONMENT)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        value = function(*arguments, lambda stage: sender.send(_Stage(stage)))
    except UserError as error:
        value = error
    except MemoryError:
        value = UserError(f"{model}: needs more than {memory / GIB:.3g} GiB of memory")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        value = UserError(f"{error.name} is not installed: pip install 'fer-edge[converter]'")
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        value = UserError(f"{tempfile.gettempdir()}: cannot be written: {error.strerror}; make room there")
    with contextlib.suppress(BrokenPipeError):  # the parent has ended
        sender.send(value)


def _new_log() -> Path:
    try:
        handle, name = tempfile.mkstemp(prefix="fer-convert-", suffix=".log")
    except OSError as error:
        raise UserError(
            f"no temporary file can be made: {error.strerror or error}; make room, or set TMPDIR to another place"
        ) from error
    os.close(handle)
    return Path(name)


def _death(exit_code: int, limits: Limits) -> str:
    if exit_code < 0:
        return (
            f"the conversion process was killed by signal {-exit_code} "
            f"(6 and 9: usually out of memory, of which it may use {limits.memory_bytes / GIB:.3g} GiB)"
        )
    return f"the conversion process failed with exit code {exit_code}"
