"""Starts the process that knows TensorFlow, keeps its noise out of sight, and gives its answer or a line of why not."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converter.data.faces import Faces
from converter.networks.calibration import softmax
from converter.networks.layout import as_logits
from converter.quantize import job as quantize_job
from converter.quantize.job import Job, Result
from fer_edge.errors import UserError
from fer_edge.labels import EMOTIONS

# One graph for one face gains nothing from a GPU, and a training may hold it; Keras 3 must not pick another backend.
WORKER_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
NOISE = "output.log"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the process gave."""

    result: Result
    outputs: NDArray[np.float32]  # (n, 7): what the Keras network says of the faces, in its own order
    tflite: bytes | None  # None where no conversion was asked for


def ask_keras(
    job: Job, asked: Faces, representative: NDArray[np.uint8], folder: Path, say: Callable[[str], None]
) -> Answer:
    """What the network of ``job`` says of the faces ``asked``, and its TFLite file where one is wanted.

    ``representative`` (m, 48, 48) uint8 are for int8 alone. ``folder`` exists and is empty, the work is left in it.
    ``say`` is told each stage. Raises UserError, one line, where the network is at fault, the process dies or the disk
    is full.
    """
    with written_in(folder.parent):
        quantize_job.write_struct(job, folder / quantize_job.JOB)
        np.savez(folder / quantize_job.FACES, asked=asked.images, truth=asked.labels, representative=representative)
    run_worker("converter.quantize.convert", folder, job.model, say)
    tflite = folder / quantize_job.TFLITE
    return Answer(
        quantize_job.read_result(folder),
        np.load(folder / quantize_job.OUTPUTS),
        tflite.read_bytes() if tflite.exists() else None,
    )


def run_worker(module: str, folder: Path, model: Path, say: Callable[[str], None]) -> None:
    """Run ``module`` on ``folder`` in a process of its own; what it prints is a stage for ``say``, or an error.

    Raises UserError, one line, where it says so, or where it dies over ``model``.
    """
    command = [sys.executable, "-m", module, str(folder)]
    log = folder / NOISE
    with (
        log.open("wb") as noise,
        subprocess.Popen(  # noqa: S603  our own module
            command, stdout=subprocess.PIPE, stderr=noise, text=True, env={**os.environ, **WORKER_ENVIRONMENT}
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                _hear(line, say)
        except BaseException:
            process.kill()  # nobody waits for its answer any more, and the way out waits for its end
            raise
    if process.returncode != 0:
        with written_in(Path(tempfile.gettempdir())):
            kept = _kept(log)
        raise UserError(f"{model}: {_death(process.returncode)}; what it printed is in {kept}")


def _hear(line: str, say: Callable[[str], None]) -> None:
    """A stage for ``say``, or UserError."""
    if line.startswith(quantize_job.ERROR):
        raise UserError(line.removeprefix(quantize_job.ERROR).strip())
    say(line.removeprefix(quantize_job.STAGE).strip())


@contextmanager
def written_in(place: Path) -> Iterator[None]:
    """Raises UserError, one line, where the block cannot write: the disk of ``place`` is full, or not for us."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{place}: cannot be written: {error.strerror or error}; make room there") from error


def original_probabilities(answer: Answer) -> NDArray[np.float64]:
    """(n, 7) in the order of `EMOTIONS`: what the Keras network says, without a temperature."""
    columns = [answer.result.labels.index(emotion) for emotion in EMOTIONS]
    return softmax(as_logits(answer.outputs, answer.result.original)[:, columns])


def _death(returncode: int) -> str:
    if returncode < 0:
        return f"the conversion process was killed by signal {-returncode} (9: out of memory)"
    return f"the conversion process failed with exit code {returncode}"


def _kept(log: Path) -> Path:
    """A copy of ``log`` that outlives its folder."""
    with tempfile.NamedTemporaryFile(prefix="fer-convert-", suffix=".log", delete=False) as copy:
        shutil.copyfileobj(log.open("rb"), copy)
        return Path(copy.name)
