"""Every command line that the documents show is one that the programs take."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))]
PROGRAMS = {"fer-edge": ("fer_edge.cli", "commands"), "fer-convert": ("converter.__main__", "fer_convert")}
ENDS = {"|", "||", "&&", ";", ">", "2>", ">>", "&"}


def shown(page: Path) -> list[list[str]]:
    """The calls of our programs in the page's console blocks, as words, without what only the shell sees."""
    calls = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            starts = [at for at, word in enumerate(words) if word.rpartition("/")[2] in PROGRAMS]
            if not starts or (starts[0] and words[starts[0] - 1] in {"command", "-v"}):
                continue
            call = words[starts[0] :]
            stop = next((at for at, word in enumerate(call) if word in ENDS), len(call))
            calls.append([call[0].rpartition("/")[2], *call[1:stop]])
    return calls


def mistake(call: list[str]) -> str:
    """What the program would say of the words, without opening a file; empty where it would say nothing."""
    module, name = PROGRAMS[call[0]]
    command: click.Command = getattr(import_module(module), name)
    words = call[1:]
    context = click.Context(command, info_name=call[0])
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            return ""
        name, *words = words
        chosen = command.get_command(context, name)
        if chosen is None:
            return f"{name} is no command"
        command, context = chosen, click.Context(chosen, info_name=name, parent=context)
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type = click.STRING  # the example's files are not here
    try:
        values, _, _ = command.make_parser(context).parse_args(words)
    except click.UsageError as error:
        return error.message
    missing = [one.name for one in command.params if one.required and values.get(one.name or "") in (None, ())]
    return f"without {missing}" if missing and "--help" not in words else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_command_lines_in_the_documents_are_taken(page: Path) -> None:
    wrong = {" ".join(call): said for call in shown(page) if (said := mistake(call))}
    assert not wrong


def test_a_wrong_command_line_would_be_found() -> None:
    assert mistake(["fer-edge", "rum"]) == "rum is no command"
    assert "No such option" in mistake(["fer-edge", "run", "--confg", "config.yaml"])
    assert mistake(["fer-convert", "quantize", "net.keras", "--data", "fer2013.csv"]) == "without ['output']"
    assert len(shown(REPOSITORY / "README.md")) >= 8
