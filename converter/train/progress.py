"""How a training tells where it is: a bar on a terminal, a line an epoch where nobody looks."""

import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from converter.train.history import Row


class TrainProgress:
    """A context in which `step` and `epoch` are told to a person. Not thread-safe; the training loop owns it."""

    def __init__(self, console: Console, epochs: int, steps: int, done: int) -> None:
        self._console = console
        self._epochs = epochs
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._steps = steps
        self._task = self._progress.add_task(
            "", total=epochs * steps, completed=done * steps, epoch=done, epochs=epochs
        )
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, epoch: int, step: int) -> None:
        """``step`` of ``epoch``, both counted from 1, is done."""
        self._progress.update(self._task, completed=(epoch - 1) * self._steps + step, epoch=epoch)

    def epoch(self, row: Row, *, is_best: bool) -> None:
        """An epoch is done: one line that stays."""
        line = (
            f"epoch {row.epoch:>{len(str(self._epochs))}}/{self._epochs}  loss {row.loss:.4f}  "
            f"accuracy {row.accuracy:.2%}  validation loss {row.val_loss:.4f}  accuracy {row.val_accuracy:.2%}  "
            f"{row.seconds:.0f} s{'  best' if is_best else ''}"
        )
        if self._console.is_terminal:
            self._progress.console.print(line, markup=False, style="bold" if is_best else "")
        else:
            click.echo(line)
