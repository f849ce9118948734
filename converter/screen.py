"""Tables on a terminal, and the same as tab-separated lines where nobody looks."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table


def show_table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is words, the others are flush right."""
    if not console.is_terminal:
        for line in (f"# {title}", *("\t".join(row) for row in (columns, *rows))):
            click.echo(line)  # rich would turn tabs into blanks
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
