"""Keras on the backend that KERAS_BACKEND names: imported late, with a sentence where it is not there."""

import importlib
import importlib.metadata
import os
import sys
from contextlib import AbstractContextManager

from fer_edge.errors import UserError
from fer_edge.vision.native_stderr import native_stderr_caught

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

            if wanted == "tensorflow":
                importlib.import_module("tensorflow").config.list_physical_devices()  # it says what it misses of CUDA
    except ImportError as error:
        missing = error.name or PACKAGES[wanted]
        raise UserError(
            f"{missing} is not installed: pip install 'fer-edge[converter]', "
            f"and {PACKAGES[wanted]} for KERAS_BACKEND={wanted}"
        ) from error
    return str(keras.backend.backend())


def without_greetings() -> AbstractContextManager[None]:
    """What TensorFlow's C++ prints to file descriptor 2 while it is imported is shown only if the import fails.

    It looks for CUDA and says that there is none, before any setting of its own can silence it.
    """

    def report(said: str, failed: bool) -> None:  # noqa: FBT001  as native_stderr_caught gives it
        if failed:
            sys.stderr.write(said)

    return native_stderr_caught(report)


def versions() -> dict[str, str]:
    """The installed versions of what a training depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
