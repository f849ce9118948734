"""Keras on the backend that KERAS_BACKEND names: imported late, with a sentence where it is not there."""

import contextlib
import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Iterator

from fer_edge.errors import UserError

PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
VERSIONED = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "opencv-python-headless", "fer-edge")


def load_backend() -> str:
    """Import Keras and give its backend's name. UserError where Keras or the backend is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # or TensorFlow talks of its optimizations while it works
    wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
    if wanted not in PACKAGES:
        raise UserError(f"KERAS_BACKEND is {wanted!r}; choose one of {', '.join(PACKAGES)}")
    try:
        with without_greetings():
            import keras
    except ImportError as error:
        missing = error.name or PACKAGES[wanted]
        raise UserError(
            f"{missing} is not installed: pip install 'fer-edge[converter]', "
            f"and {PACKAGES[wanted]} for KERAS_BACKEND={wanted}"
        ) from error
    return str(keras.backend.backend())


@contextlib.contextmanager
def without_greetings() -> Iterator[None]:
    """What TensorFlow's C++ prints to file descriptor 2 while it is imported is shown only if the import fails.

    It looks for CUDA and says that there is none, before any setting of its own can silence it.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def versions() -> dict[str, str]:
    """The installed versions of what a training depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
