"""The documents against the code: command lines are accepted by the programs; files, modules and links exist."""

import ast
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
ENDS = {"|", "||", "&&", ";", "&", ">", "2>", ">>"}  # of a command; another one or a file name follows
BEFORE = re.compile(r"\$|sudo|\w+=.*")  # allowed before a program: prompt, sudo, environment


def in_blocks(text: str) -> str:
    """Return the shell blocks of the text, fenced as `console` or `sh` or indented, with a command on each line."""
    fenced = [block for language, block in FENCED.findall(text) if language in ("console", "sh")]
    return "".join([*fenced, *INDENTED.findall(FENCED.sub("", text))]).replace("\\\n", " ")


def shown(text: str) -> list[list[str]]:
    """Return the calls of our programs in the text's blocks, as words, without shell syntax."""
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
    """Return the type of a value without the check that a file exists: the examples' files do not."""
    if isinstance(kind, click.Tuple):
        return click.Tuple([anywhere(one) for one in kind.types])
    return click.STRING if isinstance(kind, click.Path) else kind


def mistake(call: list[str]) -> str:
    """Return the usage error that the program would report, without opening a file; empty without one."""
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
def test_command_lines_in_the_documents_are_accepted(page: Path) -> None:
    wrong = {" ".join(call): error for call in CALLS[page] if (error := mistake(call))}
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
    ("line", "error"),
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
def test_a_wrong_command_line_is_found(line: str, error: str) -> None:
    assert error in mistake(line.split())


@pytest.mark.parametrize("line", ["fer-edge --version", "fer-convert train --help", "fer-edge tune scene.csv"])
def test_a_correct_command_line_is_accepted(line: str) -> None:
    assert not mistake(line.split())


SOURCE_FILE = re.compile(r"\b(?:fer_edge|converter|tests|benchmarks|tools)/[\w/.-]+\.(?:py|sh|tflite|service)\b")
FOLDER = re.compile(r"`((?:converter|tests|benchmarks|tools|systemd)/[\w./-]*)`")  # not fer_edge/: an MQTT topic, too
DOTTED = re.compile(r"\b(?:fer_edge|converter)(?:\.\w+)+")
SHORT_FILE = re.compile(r"(?:<br>| )(\w+(?:/\w+)?\.py)\b")  # as in a diagram, below fer_edge
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")


def missing_source(text: str) -> list[str]:
    """Return the files, modules and names in modules that the text mentions and the repository lacks."""
    paths = SOURCE_FILE.findall(text) + FOLDER.findall(text)
    files = [path for path in dict.fromkeys(paths) if not (REPOSITORY / path).exists()]
    return files + [name for name in DOTTED.findall(text) if not is_in_the_source(name)]


def is_in_the_source(dotted: str) -> bool:
    """Return whether ``dotted`` is a package or module, or a class, function or constant at the top of one."""
    path = REPOSITORY.joinpath(*dotted.split("."))
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    module = path.parent.with_suffix(".py")
    return module.exists() and path.name in names_in(module)


def names_in(module: Path) -> set[str]:
    names = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def missing_links(page: Path) -> list[str]:
    """Return the links to files, and to headings in them, that lead nowhere."""
    wrong = []
    for path, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        if not target.exists() or (heading and heading not in headings(target)):
            wrong.append(f"{path}#{heading}")
    return wrong


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the page's headings."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.stem)
def test_files_modules_and_links_in_the_documents_exist(page: Path) -> None:
    assert not missing_source(page.read_text(encoding="utf-8"))
    assert not missing_links(page)


def test_classes_and_files_in_the_diagrams_of_the_architecture_exist() -> None:
    diagrams = "".join(re.findall(r"^```mermaid\n(.*?)^```$", text_of("architecture"), re.DOTALL | re.MULTILINE))
    files = SHORT_FILE.findall(diagrams)
    assert len(files) > 20
    assert not [path for path in files if not (REPOSITORY / "fer_edge" / path).exists()]
    classes = {name for path in REPOSITORY.glob("fer_edge/**/*.py") for name in names_in(path)}
    assert not set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", diagrams)) - classes


def text_of(page: str) -> str:
    return (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")


def test_a_missing_file_module_or_name_would_be_found_and_an_existing_one_is_not_reported() -> None:
    assert missing_source(
        "`fer_edge/mqtt/letters.py`, `tests/letters`, fer_edge.mqtt.letters, `fer_edge.types.Verdict`."
    ) == [
        "fer_edge/mqtt/letters.py",
        "tests/letters",
        "fer_edge.mqtt.letters",
        "fer_edge.types.Verdict",
    ]
    assert not missing_source(
        "`fer_edge/mqtt/link.py`, fer_edge.mqtt.link, `fer_edge.types.Frame`, topic fer_edge/porch/event."
    )


def test_tests_in_the_table_of_the_service_exist() -> None:
    rows = text_of("reliability").partition("| event | behaviour | test |")[2].partition("\n\n")[0].splitlines()
    keywords = {
        word for row in rows for word in re.findall(r"`([a-z]+(?:_[a-z]+)*)`", row.rstrip("| ").rpartition("|")[2])
    }
    assert len(keywords) >= 10
    tests = names_in(REPOSITORY / "tests" / "system" / "test_service.py")
    assert not [word for word in keywords if not any(word in name for name in tests)]


def test_every_entrance_is_in_the_table_of_the_page_on_security() -> None:
    entrances = re.findall(r"^\| (`[a-z`, ]+`) \|", text_of("security").partition("| entrance |")[2], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(entrances)) == [entrance.name for entrance in ENTRANCES]
