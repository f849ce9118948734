"""Trial of a model file in a child process, so that a damaged or malicious one ends the child and not the daemon.

The libraries that run models trust their operators' numbers: a file that fits its card may still end the process with
SIGSEGV, in its first picture at the latest. The trial is against crashes and endless loading. It is no sandbox: the
child has the same rights, so a model is to come from a source that is trusted.
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

# How long a trial may take: an SD card needs seconds for the libraries, and the unit grants the whole start 3 minutes.
TRIAL_S = 60
ADDRESS_SPACE_BYTES = 3 * 1024**3  # the libraries alone map 0.2 (LiteRT) to 0.6 GiB (OpenCV), most of it never touched
CURE = "use a model from a source that you trust"

Kind = Literal["expression", "detector", "yunet"]

logger = logging.getLogger(__name__)


def try_model(content: bytes, name: str, kind: Kind) -> None:
    """Load ``content`` and run it once, in a child process; the models that ship are exempt, known by their hash.

    Costs a start of Python. ``name`` is how the file is called in messages.

    Raises:
        UnsafeModel: the child crashed, or needed too much time or memory.
        ModelError: the model is refused, with the reason.
    """
    if hashlib.sha256(content).hexdigest() in _shipped():
        return
    import subprocess  # noqa: PLC0415  a daemon with the models that ship is spared it

    command = (sys.executable, "-P", "-m", "fer_edge.vision.model_trial", kind, name)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # the child finds what we found
    try:
        done = subprocess.run(  # noqa: S603 - this program, by its full path
            command, input=content, capture_output=True, env=environment, timeout=TRIAL_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnsafeModel(f"{name}: neither loads nor reads a picture within {TRIAL_S} s: {CURE}") from error
    except OSError as error:
        logger.warning(
            "%s: cannot be tried in a process of its own (%s), loading it all the same", name, error.strerror
        )
        return
    if done.returncode < 0:
        raise UnsafeModel(f"{name}: {_told(-done.returncode)}: {CURE}")
    if done.returncode > 0:
        said = (done.stdout or done.stderr).decode(errors="backslashreplace").strip().splitlines()
        raise ModelError(said[-1] if said else f"{name}: cannot be loaded: {CURE}")


def main(kind: str, name: str) -> int:
    """Run the trial of the model on stdin, in the child; gives the exit code, and says on stdout why it is refused."""
    _bound()
    try:
        _load(sys.stdin.buffer.read(), name, kind)
    except ModelError as error:
        sys.stdout.buffer.write(str(error).encode(errors="backslashreplace"))
        return EXIT_FAILED
    except MemoryError:
        sys.stdout.buffer.write(os.fsencode(f"{name}: takes too much memory: {CURE}"))
        return EXIT_FAILED
    return 0


def _load(content: bytes, name: str, kind: str) -> None:
    """Do once all that the daemon does with a model."""
    if kind == "yunet":
        from fer_edge.vision.yunet import load_network  # noqa: PLC0415  OpenCV

        load_network(content, name, 0.5)
        return
    from fer_edge.vision.interpreter import Interpreter  # noqa: PLC0415

    runner = Interpreter(content, name)
    runner.invoke(np.zeros(runner.input.shape, runner.input.dtype))
    if kind == "detector":  # frames have any size
        runner.resize((1, 96, 160, *runner.input.shape[3:]))
        runner.invoke(np.zeros(runner.input.shape, runner.input.dtype))


def _bound() -> None:
    """Limit the child's memory and time, also where its parent has ended; a sandbox may refuse, and has its own."""
    import resource  # noqa: PLC0415  for the child alone

    for which, limit in ((resource.RLIMIT_AS, ADDRESS_SPACE_BYTES), (resource.RLIMIT_CPU, TRIAL_S)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (limit, limit))


def _told(number: int) -> str:
    """Describe an end by signal ``number``."""
    match number:
        case signal.SIGKILL:
            return "its trial was killed, most likely because it takes too much memory"
        case signal.SIGXCPU:
            return f"neither loads nor reads a picture within {TRIAL_S} s of processor time"
        case _:
            return f"crashes the library that runs it ({signal.Signals(number).name}), it is damaged or malicious"


class _Hashed(msgspec.Struct):
    """As much of a card as is needed."""

    sha256: str


@cache
def _shipped() -> frozenset[str]:
    """Return the hashes of the models in the package, which are trusted as its code is."""
    cards = (entry for entry in files("fer_edge.models").iterdir() if entry.name.endswith(".json"))
    return frozenset(decode_json(card.read_bytes(), _Hashed).sha256 for card in cards)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
