"""Keras on the backend that KERAS_BACKEND names: imported late, with a sentence where it is not there."""

import importlib.metadata
import os

from fer_edge.errors import UserError

PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
VERSIONED = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "opencv-python-headless", "fer-edge")


def load_backend() -> str:
    """Import Keras and give its backend's name. UserError where Keras or the backend is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # or TensorFlow greets with a page of hints
    wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
    if wanted not in PACKAGES:
        raise UserError(f"KERAS_BACKEND is {wanted!r}; choose one of {', '.join(PACKAGES)}")
    try:
        import keras
    except ImportError as error:
        missing = error.name or PACKAGES[wanted]
        raise UserError(
            f"{missing} is not installed: pip install 'fer-edge[converter]', "
            f"and {PACKAGES[wanted]} for KERAS_BACKEND={wanted}"
        ) from error
    return str(keras.backend.backend())


def versions() -> dict[str, str]:
    """The installed versions of what a training depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
