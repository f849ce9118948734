"""What the commands and the process that knows TensorFlow say to each other: a folder, and lines on a pipe.

    job.json, faces.npz  ->  worker  ->  result.json, outputs.npy, and model.tflite if one was asked for

Lines begin with `STAGE` (for a person to watch) or `ERROR` (what a user can cure). An error is a line and not a file
because a full disk is one of them.
"""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from converter.networks.layout import OutputKind, Scaling

JOB = "job.json"
FACES = "faces.npz"  # `asked` (n, 48, 48) uint8 with `truth` (n,), and `representative` (m, 48, 48) uint8
RESULT = "result.json"
OUTPUTS = "outputs.npy"  # (n, 7) float32: what the network itself says of `asked`, in its own order
TFLITE = "model.tflite"

STAGE = "stage: "
ERROR = "error: "

Kind = Literal["int8", "float16", "dynamic"]


class Job(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with one Keras network."""

    name: str  # of the network, in its card
    model: Path
    weights: Path | None = None
    untrained: bool = False  # take an architecture without weights
    scaling: Scaling | None = None  # None: to be found
    labels: tuple[str, ...] | None = None  # the network's order; None: to be found
    kind: Kind | None = None  # None: only ask the network, convert nothing
    float_io: bool = False  # float32 input and output around an int8 network


class Result(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the worker found and did. Its outputs and its TFLite file lie beside."""

    description: str  # container, who wrote it, what read it
    height: int
    width: int
    channels: Literal[1, 3]
    scaling: Scaling
    labels: tuple[str, ...]
    found: str  # how the layout was found, one sentence; empty where it was given
    original: OutputKind  # what the Keras network gives
    output: OutputKind  # what the TFLite file gives
    softmax_cut: bool = False
    tensorflow: str = ""  # version that converted


def write_struct(value: Struct, path: Path) -> None:
    path.write_bytes(msgspec.json.encode(value, enc_hook=_encoded))


def read_job(folder: Path) -> Job:
    return msgspec.json.decode((folder / JOB).read_bytes(), type=Job, dec_hook=_decoded)


def read_result(folder: Path) -> Result:
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result, dec_hook=_decoded)


def _encoded(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _decoded(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
