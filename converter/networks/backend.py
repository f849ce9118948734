"""Keras on the backend that KERAS_BACKEND names: imported late, with a sentence where it is not there."""

import importlib
import importlib.metadata
import os
import sys
from contextlib import AbstractContextManager

from fer_edge.errors import UserError
from fer_edge.vision.interpreter import captured_native_stderr

PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
VERSIONED = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "opencv-python-headless", "fer-edge")


def load_backend() -> str:
    """Import Keras and give its backend's name. UserError where Keras or the backend is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # or TensorFlow logs its optimizations
    wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
    if wanted not in PACKAGES:
        raise UserError(f"KERAS_BACKEND is {wanted!r}; choose one of {', '.join(PACKAGES)}")
    try:
        with without_greetings():
            import keras

            if wanted == "tensorflow":
                importlib.import_module("tensorflow").config.list_physical_devices()  # logs missing CUDA libraries
    except ImportError as error:
        missing = error.name or PACKAGES[wanted]
        raise UserError(
            f"{missing} is not installed: pip install 'fer-edge[converter]', "
            f"and {PACKAGES[wanted]} for KERAS_BACKEND={wanted}"
        ) from error
    return str(keras.backend.backend())


def without_greetings() -> AbstractContextManager[None]:
    """Show the output of TensorFlow's C++ on file descriptor 2 during the import only if the import fails.

    TensorFlow logs missing CUDA libraries before any of its settings can silence it.
    """

    def report(text: str, failed: bool) -> None:  # noqa: FBT001  as native_stderr_caught gives it
        if failed:
            sys.stderr.write(text)

    return captured_native_stderr(report)


def versions() -> dict[str, str]:
    """The installed versions of what a training depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
