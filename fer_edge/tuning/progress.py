"""How far a long replay is, for whoever waits at a terminal; a week of scores takes minutes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Tell = Callable[[], None]  # one more of what was announced is done
Announce = Callable[[str, int], Tell]  # what begins now, and of how many parts it is


@contextmanager
def shown(console: Console) -> Iterator[Announce]:
    """A bar for each thing that is announced, gone at the end; nothing where the output is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def announce(name: str, parts: int) -> Tell:
            task = progress.add_task(name, total=parts)
            return lambda: progress.advance(task)

        yield announce
