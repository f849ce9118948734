"""`config.yaml` to `Settings`, naming every mistake at once, each with its place and what to do."""

from pathlib import Path

import msgspec
import yaml
from msgspec import inspect

from fer_edge.config.model import Settings
from fer_edge.config.rules import contradictions
from fer_edge.config.settings_walk import Mistake, Tree, Walk, listed
from fer_edge.errors import SettingsError
from fer_edge.untrusted import read_regular

# Where `fer-edge` looks when no file is named: the folder it is started in, then where the service keeps it.
USUAL_PLACES = (Path("config.yaml"), Path("/etc/fer-edge/config.yaml"))
# What PyYAML says of the mistakes that people make, and what helps.
CURES = {
    "'\\t' that cannot start": "indent with blanks, not with tabs",
    "mapping values are not allowed": "a value that holds a colon needs quotes, or this line is indented wrongly",
    "found another document": "it holds a second document (---): keep one",
}
MAX_BYTES = 100_000  # the shipped one has 16 KB; PyYAML takes seconds for so much, and a reload may not take 30

DEEPEST = 30  # brackets within brackets; settings need four


class Document(msgspec.Struct, frozen=True):
    """A settings file without a mistake."""

    settings: Settings
    values: Tree  # what stands in it; the rest of `settings` is defaults


def usual_file() -> Path | None:
    """The first settings file that exists in the usual places, None where there is none."""
    return next((path for path in USUAL_PLACES if path.is_file()), None)


def load_settings(path: Path) -> Settings:
    """The settings in ``path``, see `load_document`."""
    return load_document(path).settings


def load_document(path: Path) -> Document:
    """What ``path`` holds; an empty file gives all defaults.

    Raises:
        SettingsError: the file cannot be read, or holds mistakes: one line for each.
    """
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}:1: is not UTF-8 text, save it as UTF-8") from error
    document, mistakes = parse_document(text)
    if document is None:
        raise SettingsError("\n".join(mistake.render(path) for mistake in mistakes))
    return document


def parse_settings(text: str) -> tuple[Settings | None, list[Mistake]]:
    """The settings that ``text`` (YAML) holds, or None and all its mistakes in the order of the file."""
    document, mistakes = parse_document(text)
    return (None, mistakes) if document is None else (document.settings, [])


def parse_document(text: str) -> tuple[Document | None, list[Mistake]]:
    """What ``text`` (YAML) holds, or None and all its mistakes in the order of the file."""
    root = _composed(text)
    if isinstance(root, Mistake):
        return None, [root]
    if root is None:
        return Document(Settings(), {}), []
    walk = Walk()
    values = walk.check(root, inspect.type_info(Settings), "")
    if walk.mistakes:
        in_order = sorted(walk.mistakes, key=lambda mistake: (mistake.line, mistake.column))
        return None, listed(in_order, walk.more)
    settings = msgspec.convert(values, Settings)
    mistakes = [walk.mistake_at(key, sentence) for key, sentence in contradictions(settings)]
    return (None, listed(mistakes)) if mistakes else (Document(settings, values), [])


class _Loader(yaml.SafeLoader):
    def fetch_flow_collection_start(self, token_class: type[yaml.Token]) -> None:
        """Begin a list or mapping in brackets.

        Raises:
            RecursionError: it is nested too deeply. PyYAML's time for such is quadratic: 3 KB of `[` take 20 s.
        """
        if self.flow_level >= DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(token_class)


def _composed(text: str) -> yaml.Node | Mistake | None:
    r"""The root of YAML's nodes, None of an empty text, or why there is none.

    Beside its own YAMLError PyYAML raises ValueError (`"\UFFFFFFFF"`, `%YAML` with 5,000 digits) and RecursionError.
    """
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return Mistake(line, column, "", "is not YAML: a control character, or one that YAML does not allow")
    try:
        return loader.get_single_node()
    except yaml.YAMLError as error:
        return _from_yaml_error(error)
    except RecursionError:
        return Mistake(1, 1, "", "is not a settings file: it is nested too deeply")
    except (ValueError, OverflowError):
        mark = loader.get_mark()
        return Mistake(mark.line + 1, mark.column + 1, "", "is not YAML: a number or an escaped character is too large")


def _from_yaml_error(error: yaml.YAMLError) -> Mistake:
    """YAML's own complaint as one line; its place is where it noticed, which may be after the cause."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        problem = str(error.problem)
        cure = next((cure for words, cure in CURES.items() if words in problem), None)
        return Mistake(mark.line + 1, mark.column + 1, "", f"is not YAML: {cure or problem}")
    reason = " ".join(str(error).split())
    return Mistake(1, 1, "", f"is not YAML: {reason}")
