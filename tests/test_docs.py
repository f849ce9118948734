"""Every command line in the documents' code blocks is one that the programs take, values and all."""

import copy
import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from tests.fuzz.entrances import ENTRANCES

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = {"fer-edge": ("fer_edge.cli.main", "commands"), "fer-convert": ("converter.cli", "fer_convert")}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^ {4}(.*\n)", re.MULTILINE)
ENDS = {"|", "||", "&&", ";", "&", ">", "2>", ">>"}  # of one command; what follows is another one, or a file's name
BEFORE = re.compile(r"\$|sudo|\w+=.*")  # what may stand before a program: the prompt, root's rights, the environment


def in_blocks(text: str) -> str:
    """What is in the text's blocks of the shell, fenced as `console` or `sh` or indented; each command on a line."""
    fenced = [block for language, block in FENCED.findall(text) if language in ("console", "sh")]
    return "".join([*fenced, *INDENTED.findall(FENCED.sub("", text))]).replace("\\\n", " ")


def shown(text: str) -> list[list[str]]:
    """The calls of our programs in the text's blocks, as words, without what only the shell sees."""
    calls = []
    for line in in_blocks(text).splitlines():
        if not any(program in line for program in PROGRAMS):
            continue
        words = shlex.split(re.sub(r'"\$\(command -v (\S+)\)"', r"\1", line), comments=True)
        ends = [at for at, word in enumerate(words) if word in ENDS]
        for begin, end in zip([-1, *ends], [*ends, len(words)], strict=True):
            call = words[begin + 1 : end]
            while call and BEFORE.fullmatch(call[0]):
                call = call[1:]
            if call and (program := call[0].rpartition("/")[2]) in PROGRAMS:
                calls.append([program, *call[1:]])
    return calls


def anywhere(kind: click.ParamType) -> click.ParamType:
    """The type of a value, without asking for files: the example's are not here."""
    if isinstance(kind, click.Tuple):
        return click.Tuple([anywhere(one) for one in kind.types])
    return click.STRING if isinstance(kind, click.Path) else kind


def mistake(call: list[str]) -> str:
    """What the program would say of the words, without opening a file; empty where it would say nothing."""
    module, name = PROGRAMS[call[0]]
    command: click.Command = getattr(import_module(module), name)
    context, words = click.Context(command, info_name=call[0]), call[1:]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        chosen = command.get_command(context, name)
        if chosen is None:
            return f"{name} is no command"
        command, context = chosen, click.Context(chosen, info_name=name, parent=context)
    command = copy.copy(command)
    command.params = [copy.copy(parameter) for parameter in command.params]
    for parameter in command.params:
        parameter.type = anywhere(parameter.type)
    try:
        command.make_context(context.info_name, words, parent=context.parent)
    except click.exceptions.Exit:  # --help and --version
        return ""
    except click.UsageError as error:
        return error.format_message()
    return ""


DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(REPOSITORY.glob("docs/**/*.md"))]
CALLS = {page: shown(page.read_text(encoding="utf-8")) for page in DOCUMENTS}


@pytest.fixture(autouse=True)
def no_data_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_EDGE_FER2013", raising=False)  # it would stand in for --data


@pytest.mark.parametrize("page", [page for page in DOCUMENTS if CALLS[page]], ids=lambda page: page.stem)
def test_command_lines_in_the_documents_are_taken(page: Path) -> None:
    wrong = {" ".join(call): said for call in CALLS[page] if (said := mistake(call))}
    assert not wrong


def test_command_lines_are_found_in_every_kind_of_block_and_nowhere_else() -> None:
    page = """
Prose about `fer-edge tune`, and fer-edge run.

```console
$ sudo .venv/bin/fer-edge run --preview &    # the daemon
pip install fer-edge && FER=1 fer-convert train \\
  -o runs/nano > log
sudo "$(command -v fer-edge)" service install
```
```sh
fer-edge bench | grep ms
systemctl reload fer-edge
```
```yaml
    fer-edge: in settings
```

    fer-edge events --audit    # that's all
"""
    assert [" ".join(call) for call in shown(page)] == [
        "fer-edge run --preview",
        "fer-convert train -o runs/nano",
        "fer-edge service install",
        "fer-edge bench",
        "fer-edge events --audit",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fer-edge rum", "rum is no command"),
        ("fer-edge --versoin", "No such option"),
        ("fer-edge run --confg config.yaml", "No such option"),
        ("fer-edge run config.yaml", "unexpected extra argument"),
        ("fer-edge bench --for soon", "'--for': 'soon'"),
        ("fer-edge bench --for 0.5", "'--for': 0.5"),
        ("fer-edge events --device a/b", "must be + for all devices"),
        ("fer-edge video", "Missing argument"),
        ("fer-convert train --data fer2013.csv -o runs/nano --augment strongest", "'--augment': 'strongest'"),
        ("fer-convert train -o runs/nano", "Missing option '--data'"),
        ("fer-convert quantize net.keras --data fer2013.csv", "Missing option '-o'"),
        ("fer-convert train-detector -o runs/face --photos faces.json", "requires 2 arguments"),
    ],
)
def test_a_wrong_command_line_would_be_found(line: str, said: str) -> None:
    assert said in mistake(line.split())


@pytest.mark.parametrize("line", ["fer-edge --version", "fer-convert train --help", "fer-edge tune scene.csv"])
def test_a_right_command_line_is_let_pass(line: str) -> None:
    assert not mistake(line.split())


def test_every_file_that_the_page_on_security_names_is_there_and_every_entrance_is_in_its_table() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text()
    named = set(re.findall(r"`((?:tests|fer_edge|systemd)/[\w./-]+)`", text))
    assert len(named) > 15
    assert [path for path in named if not (REPOSITORY / path).exists()] == []
    entrances = re.findall(r"^\| (`[a-z`, ]+`) \|", text.partition("| entrance |")[2], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(entrances)) == [entrance.name for entrance in ENTRANCES]
