"""A Keras callback that tells plain functions about steps and epochs."""

import time
from collections.abc import Callable
from typing import Any

EpochEnded = Callable[[float, float, float], bool]  # loss, accuracy, seconds; gives whether to stop


def watcher(epoch_ended: EpochEnded, on_step: Callable[[int, int], None]) -> Any:
    """The callback; made here because Keras, and with it its Callback, is imported late."""
    import keras

    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        async_safe = True  # it reads no logs within an epoch, so a GPU need not wait for it at every step

        # ruff: noqa: ARG002 (Keras' signatures)
        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self._epoch = epoch + 1
            self._started = time.monotonic()

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            on_step(self._epoch, batch + 1)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            spent = time.monotonic() - self._started
            self.model.stop_training = epoch_ended(float(logs["loss"]), float(logs["accuracy"]), spent)

    return Watcher()
