"""Reports: tables on a terminal, and an HTML page in one file without scripts or external resources."""

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from fer_edge.files import atomic_output

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5b6673; --paper: #ffffff; --line: #dde2e8; --band: #f5f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ed; --soft: #9aa5b1; --paper: #14181d; --line: #2c343d; --band: #1b2027; }
}
body { margin: 2.5rem auto; max-width: 62rem; padding: 0 1.2rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 1.2rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { max-width: 44rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .95rem; }
a { color: #4a8fdc; text-decoration: none; } a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; margin: .6rem 0; }
th, td { padding: .32rem .9rem .32rem .5rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } .number { text-align: right; }
tbody tr:nth-child(even) { background: var(--band); }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; background: #ffffff; border-radius: 6px; }
figcaption, .soft { color: var(--soft); font-size: .9rem; }
""".strip()

NUMBER = re.compile(r"[-+]?[\d,.]+( ?%| ?[a-zA-Z]{1,3})?")  # a cell that is set flush right: 1,234  65.6 %  0.24 ms
NOTHING = ("", "-")


class Report:
    """A page that is put together from the top. Not thread-safe; who writes it owns it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = []
        self._chapters: list[str] = []

    def add_heading(self, text: str, level: int = 2) -> None:
        """A heading; those of level 2 are chapters and stand in the list at the top. Level 2 or 3."""
        anchor = ""
        if level == 2:  # noqa: PLR2004  HTML's h2
            self._chapters.append(text)
            anchor = f' id="chapter-{len(self._chapters)}"'
        self._parts.append(f"<h{level}{anchor}>{escape(text)}</h{level}>")

    def add_text(self, text: str) -> None:
        """A paragraph of plain text."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def add_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table of text; a column that holds numbers alone is set flush right."""
        right = [_is_numeric([row[index] for row in rows]) for index in range(len(columns))]
        body = "".join(f"<tr>{_cells('td', row, right)}</tr>" for row in rows)
        table = f"<table><thead><tr>{_cells('th', columns, right)}</tr></thead><tbody>{body}</tbody></table>"
        self._parts.append(f'<div class="scroll">{table}</div>')

    def add_figure(self, png: bytes, caption: str) -> None:
        """A picture, as PNG, and the sentence under it."""
        source = base64.b64encode(png).decode("ascii")
        picture = f'<img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{source}">'
        self._parts.append(f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>")

    def html(self) -> str:
        """The whole page."""
        links = (f'<a href="#chapter-{index}">{escape(text)}</a>' for index, text in enumerate(self._chapters, 1))
        contents = f"<nav>{''.join(links)}</nav>" if len(self._chapters) > 1 else ""
        head = (
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self._title)}</title><style>{STYLE}</style>"
        )
        body = "\n".join([f"<h1>{escape(self._title)}</h1>", contents, *self._parts])
        return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'

    def write(self, path: Path) -> None:
        """Write the page, whole or not at all; UserError where that fails."""
        with atomic_output(path) as beside:
            beside.write_text(self.html(), encoding="utf-8")


def _cells(tag: str, cells: Sequence[str], right: Sequence[bool]) -> str:
    classes = (' class="number"' if flush else "" for flush in right)
    return "".join(f"<{tag}{mark}>{escape(cell)}</{tag}>" for mark, cell in zip(classes, cells, strict=True))


def _is_numeric(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell not in NOTHING]
    return bool(filled) and all(NUMBER.fullmatch(cell) for cell in filled)


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
