"""Trial of a model file in a child process, so that a damaged or malicious one crashes the child and not the daemon.

The runtimes do not validate operator parameters: a file that matches its card may still crash the process with SIGSEGV,
at the latest in its first run. The trial protects against crashes and endless loading. It is not a sandbox: the child
has the same rights, so a model must come from a trusted source.
"""

import contextlib
import hashlib
import logging
import os
import signal
import sys
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
import numpy as np

from fer_edge.errors import EXIT_FAILED, ModelError, UnsafeModel
from fer_edge.untrusted import decode_json

# Timeout of a trial: loading the libraries from an SD card takes seconds, and the unit's start timeout is 3 minutes.
TRIAL_S = 60
ADDRESS_SPACE_BYTES = 3 * 1024**3  # the libraries alone map 0.2 GiB (LiteRT) to 0.6 GiB (OpenCV), most of it unused
CURE = "use a model from a source that you trust"

Kind = Literal["expression", "detector", "yunet"]

logger = logging.getLogger(__name__)


def try_model(content: bytes, name: str, kind: Kind) -> None:
    """Load ``content`` and run it once in a child process; bundled models, known by their hash, are exempt.

    Costs a start of Python. ``name`` is the file's name in messages.

    Raises:
        UnsafeModel: the child crashed, or exceeded its time or memory limit.
        ModelError: the model is rejected, with the reason.
    """
    if hashlib.sha256(content).hexdigest() in _shipped():
        return
    import subprocess  # noqa: PLC0415  not needed with the bundled models

    command = (sys.executable, "-P", "-m", "fer_edge.vision.model_trial", kind, name)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # the same import path
    try:
        done = subprocess.run(  # noqa: S603 - this program, by its full path
            command, input=content, capture_output=True, env=environment, timeout=TRIAL_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnsafeModel(f"{name}: neither loads nor runs within {TRIAL_S} s: {CURE}") from error
    except OSError as error:
        logger.warning("%s: cannot be tried in a child process (%s), loading it without a trial", name, error.strerror)
        return
    if done.returncode < 0:
        raise UnsafeModel(f"{name}: {_describe_signal(-done.returncode)}: {CURE}")
    if done.returncode > 0:
        output = (done.stdout or done.stderr).decode(errors="backslashreplace").strip().splitlines()
        raise ModelError(output[-1] if output else f"{name}: cannot be loaded: {CURE}")


def main(kind: str, name: str) -> int:
    """Run the trial of the model on stdin, in the child; print the reason of a failure, return the exit code."""
    _limit_resources()
    try:
        _load(sys.stdin.buffer.read(), name, kind)
    except ModelError as error:
        sys.stdout.buffer.write(str(error).encode(errors="backslashreplace"))
        return EXIT_FAILED
    except MemoryError:
        sys.stdout.buffer.write(os.fsencode(f"{name}: needs too much memory: {CURE}"))
        return EXIT_FAILED
    return 0


def _load(content: bytes, name: str, kind: str) -> None:
    """Do everything once that the daemon does with a model."""
    if kind == "yunet":
        from fer_edge.vision.yunet import load_network  # noqa: PLC0415  OpenCV

        load_network(content, name, 0.5)
        return
    from fer_edge.vision.interpreter import Interpreter  # noqa: PLC0415

    interpreter = Interpreter(content, name)
    interpreter.invoke(np.zeros(interpreter.input.shape, interpreter.input.dtype))
    if kind == "detector":  # frames have any size
        interpreter.resize((1, 96, 160, *interpreter.input.shape[3:]))
        interpreter.invoke(np.zeros(interpreter.input.shape, interpreter.input.dtype))


def _limit_resources() -> None:
    """Limit the child's memory and CPU time, even if its parent has ended; a sandbox may forbid it and has its own."""
    import resource  # noqa: PLC0415  for the child alone

    for which, limit in ((resource.RLIMIT_AS, ADDRESS_SPACE_BYTES), (resource.RLIMIT_CPU, TRIAL_S)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (limit, limit))


def _describe_signal(number: int) -> str:
    """Describe the exit by signal ``number``."""
    match number:
        case signal.SIGKILL:
            return "its trial was killed, most likely because it needs too much memory"
        case signal.SIGXCPU:
            return f"neither loads nor runs within {TRIAL_S} s of CPU time"
        case _:
            return f"crashes the library that runs it ({signal.Signals(number).name}): it is damaged or malicious"


class _Hashed(msgspec.Struct):
    """The needed part of a card."""

    sha256: str


@cache
def _shipped() -> frozenset[str]:
    """Hashes of the bundled models, which are trusted like the code."""
    cards = (entry for entry in files("fer_edge.models").iterdir() if entry.name.endswith(".json"))
    return frozenset(decode_json(card.read_bytes(), _Hashed).sha256 for card in cards)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
