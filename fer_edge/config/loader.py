"""Config loader: YAML to `Settings`, with every mistake at once, each with line, column and remedy.

A text is composed into YAML nodes, walked beside the types of `model.py`, converted, and checked by `rules.py`.
"""

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from fer_edge.config.model import Settings
from fer_edge.config.rules import contradictions
from fer_edge.errors import SettingsError
from fer_edge.untrusted import read_regular

SHOWN_CHARACTERS = 40
TEXT = "tag:yaml.org,2002:str"
NULL = "tag:yaml.org,2002:null"
STANDARD = "tag:yaml.org,2002:"
# ${NAME}, {NAME} as Frigate has it, and $NAME alone or before a path.
VARIABLE = re.compile(r"\$\{[^}]*\}|\{[A-Z][A-Z0-9_]*\}|^\$[A-Z_][A-Z0-9_]*(?=/|$)")
INSTEAD = "write the value itself; a password belongs in mqtt.password_file or camera.password_file"
HIDDEN = "a hidden value: it may hold a password"
MOST_LISTED = 20  # mistakes; more would be pages of log, or a response above the broker's size limit
MERGE = "<<"
ADDRESS = "camera.source"  # may hold a password
Tree = dict[str, Any]  # sections as dictionaries, leaves as YAML and JSON values
# Searched in this order when no file is named: the working directory, then the service's file.
USUAL_PLACES = (Path("config.yaml"), Path("/etc/fer-edge/config.yaml"))
# Messages of PyYAML for common mistakes, each with its remedy.
CURES = {
    "'\\t' that cannot start": "indent with spaces, not with tabs",
    "mapping values are not allowed": "a value that contains a colon needs quotes, or this line is indented wrongly",
    "found another document": "it contains a second document (---): keep one",
}
MAX_BYTES = 100_000  # the shipped file has 12 KB; PyYAML takes seconds for 100, and a reload must end within 30 s
DEEPEST = 30  # nested brackets; settings need four
_RESOLVER = yaml.resolver.Resolver()


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """End of a message about the unknown ``word``: `, did you mean width?`, or the list of known words."""
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f", did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"


def value_of(node: yaml.ScalarNode, expected: inspect.Type) -> Any:
    """Return the Python value of a scalar.

    Where only text is expected the source text is kept: YAML would read `protocol: 5` as a number and `device: off` as
    a boolean. Text that YAML cannot convert (a date with month 13) is kept as well.
    """
    if _is_text(expected):
        return None if node.tag == NULL else node.value
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        return node.value


def unsupported(node: yaml.Node, *, secret: bool) -> str | None:
    """Return the message on an unsupported tag (`!secret`) or variable (`${NAME}`), None without one.

    Other programs substitute both; read as text they would become a wrong host or path. Only `!!str` is accepted.
    ``secret``: the value is left out of the message.
    """
    is_scalar = isinstance(node, yaml.ScalarNode)
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    own = _RESOLVER.resolve(type(node), node.value, (plain, not plain))  # type: ignore[no-untyped-call]
    if node.tag != own and not (is_scalar and node.tag == TEXT):
        tag = node.tag.replace(STANDARD, "!!", 1) if node.tag.startswith(STANDARD) else node.tag
        return f"{printable(tag)} is not supported in this file: {INSTEAD}"
    if is_scalar and (found := VARIABLE.search(node.value)):
        return f"{'a variable' if secret else printable(found[0])} is not replaced in this file: {INSTEAD}"
    return None


def fits(value: Any, expected: inspect.Type) -> bool:  # noqa: PLR0911 one return a type reads best
    """Return whether a leaf has the expected type and range; NaN and infinity never have."""
    match expected:
        case inspect.Metadata():
            return fits(value, expected.type)
        case inspect.UnionType():
            return any(fits(value, member) for member in expected.types)
        case inspect.NoneType():
            return value is None
        case inspect.LiteralType():
            return any(value == one and type(value) is type(one) for one in expected.values)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.StrType():
            return isinstance(value, str) and _matches(value, expected)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and _in_range(value, expected)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool) and _in_range(value, expected)
    raise NotImplementedError(f"model.py uses {expected}, add it to fits() in config/loader.py")


def described(expected: inspect.Type) -> str:  # noqa: PLR0911 one return a type reads best
    """Return the expected value in words: `a number between 0 and 1`."""
    match expected:
        case inspect.Metadata():
            text = (expected.extra_json_schema or {}).get("description")
            return str(text) if text else described(expected.type)
        case inspect.UnionType():
            return " or ".join(described(one) for one in expected.types if not isinstance(one, inspect.NoneType))
        case inspect.LiteralType():
            return "one of " + ", ".join(str(one) for one in expected.values)
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "text" + _form(expected)
        case inspect.IntType():
            return "a whole number" + _range(expected)
        case inspect.FloatType():
            return "a number" + _range(expected)
        case inspect.VarTupleType():
            return "a list"
    raise NotImplementedError(f"model.py uses {expected}, add it to described() in config/loader.py")


def items_of(expected: inspect.Type) -> inspect.Type:
    """Return the type without its description."""
    return items_of(expected.type) if isinstance(expected, inspect.Metadata) else expected


def has_length(count: int, expected: inspect.VarTupleType | inspect.TupleType) -> bool:
    """Return whether a list may have ``count`` entries."""
    if isinstance(expected, inspect.TupleType):
        return count == len(expected.item_types)
    return (expected.min_length or 0) <= count <= (expected.max_length or count)


def shown(node: yaml.ScalarNode) -> str:
    """Return a value as it is written in the file, shortened; quotes are kept, because `"5"` is not `5`."""
    if not node.value:
        return "nothing" if node.style is None else "an empty text"
    return printable(" ".join(node.value.split())) if node.style is None else repr(_short(node.value))


def printable(text: str) -> str:
    """Return ``text`` shortened, escaped where a terminal could not print it, hidden where it may be an address."""
    return _short(text) if text.isprintable() else repr(_short(text))


def _short(text: str) -> str:
    if "@" in text:
        return HIDDEN
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _is_text(expected: inspect.Type) -> bool:
    if isinstance(expected, inspect.Metadata):
        return _is_text(expected.type)
    if isinstance(expected, inspect.LiteralType):
        return all(isinstance(one, str) for one in expected.values)
    return isinstance(expected, inspect.StrType)


def _matches(value: str, expected: inspect.StrType) -> bool:
    r"""Return whether a text has the length and pattern, and is valid UTF-8: YAML's `"\ud800"` is not."""
    fitting = (expected.min_length or 0) <= len(value) <= (expected.max_length or len(value))
    encodable = not any("\ud800" <= character <= "\udfff" for character in value)
    return fitting and encodable and (expected.pattern is None or re.search(expected.pattern, value) is not None)


def _in_range(value: float, expected: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (isinstance(value, int) or math.isfinite(value))  # an integer may be too large for a float
        and (expected.ge is None or value >= expected.ge)
        and (expected.gt is None or value > expected.gt)
        and (expected.le is None or value <= expected.le)
    )


def _form(expected: inspect.StrType) -> str:
    words = " that is not empty" if expected.min_length else ""
    return words + (f" that matches {expected.pattern}" if expected.pattern else "")


def _range(expected: inspect.IntType | inspect.FloatType) -> str:
    if expected.le is None:
        return "" if expected.ge is None else f" of at least {expected.ge:.9g}"
    if expected.gt is not None:
        return f" above {expected.gt:.9g} and at most {expected.le:.9g}"
    return f" between {expected.ge:.9g} and {expected.le:.9g}"


class Mistake(msgspec.Struct, frozen=True):
    """One mistake in settings."""

    line: int  # from 1; 0 without a text
    column: int  # from 1; 0 without a text
    key: str  # dotted, empty for the file as a whole
    sentence: str

    def render(self, path: Path) -> str:
        """`config.yaml:14:7: decide.enter: must be between 0 and 1, got 1.7`."""
        return f"{path}:{self.line}:{self.column}: {self}"

    def __str__(self) -> str:
        return (f"{self.key}: " if self.key else "") + self.sentence


def settle(values: Tree) -> tuple[Settings | None, list[Mistake]]:
    """Convert checked ``values`` to settings; None and the mistakes where they contradict each other."""
    settings = msgspec.convert(values, Settings)
    mistakes = [Mistake(0, 0, key, sentence) for key, sentence in contradictions(settings)]
    return (None, listed(mistakes)) if mistakes else (settings, [])


def listed(mistakes: Sequence[Mistake], more: int = 0) -> list[Mistake]:
    """Return the first mistakes, and one entry with the number of the rest; ``more`` were counted before."""
    more += max(0, len(mistakes) - MOST_LISTED)
    kept = list(mistakes[:MOST_LISTED])
    return [*kept, Mistake(kept[-1].line, kept[-1].column, "", f"and {more} more mistakes")] if more else kept


def check_values(values: Mapping[str, Any], *, nulls: bool = False) -> list[Mistake]:
    """Check the keys and values of ``values``, each by itself; ``nulls``: any value may be null."""
    walk = Walk(nulls=nulls)
    try:
        root = _Nodes().represent_data(dict(values))
    except RecursionError:
        return [Mistake(0, 0, "", "nested too deeply")]
    walk.check(root, inspect.type_info(Settings), "")
    return listed(walk.mistakes, walk.more)


class Walk:
    """Walk over YAML nodes and types in parallel that collects mistakes; used for one text.

    ``nulls``: any value may be null, as in a change that removes an override.
    """

    def __init__(self, *, nulls: bool = False) -> None:
        self.mistakes: list[Mistake] = []
        self.more = 0  # mistakes beyond those
        self._nulls = nulls
        self._places: dict[str, yaml.Node] = {}

    def check(self, node: yaml.Node, expected: inspect.Type, key: str) -> Any:
        """Return the plain value of ``node``, and add a mistake where it does not fit ``expected``."""
        self._places[key] = node
        if (sentence := unsupported(node, secret=key == ADDRESS)) is not None:
            self._add(node, key, sentence)
            return None
        if isinstance(expected, inspect.StructType):
            return self._check_section(node, expected, key)
        if isinstance(expected, inspect.DictType):
            return self._check_table(node, expected, key)
        if isinstance(items_of(expected), inspect.VarTupleType | inspect.TupleType):
            return self._check_list(node, expected, key)
        return self._check_leaf(node, expected, key)

    def mistake_at(self, key: str, sentence: str) -> Mistake:
        """Return a mistake at ``key``, or at the nearest section above it that is in the file."""
        place = key
        while place and place not in self._places:
            place = place.rpartition(".")[0]
        return _mistake(self._places[place], key, sentence)

    def _add(self, node: yaml.Node, key: str, sentence: str) -> None:
        if len(self.mistakes) < MOST_LISTED:
            self.mistakes.append(_mistake(node, key, sentence))
        else:
            self.more += 1

    def _pairs(self, node: yaml.Node, known: list[str], key: str) -> Iterator[tuple[str, yaml.Node]]:
        """Yield the entries with known, unique keys; add a mistake for each other."""
        if isinstance(node, yaml.ScalarNode) and node.tag == NULL:
            return  # `camera:` with everything below it commented out
        if not isinstance(node, yaml.MappingNode):
            self._add(node, key, f"must be a section of these keys, indented: {', '.join(known)}")
            return
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(key_node, key, "a list or a section in place of a key")
                continue
            name = str(key_node.value)
            path = _joined(key, name if name in known else printable(name))
            if name in seen:
                self._add(key_node, path, f"duplicate key, first in line {seen[name]}: keep one")
            elif name == MERGE:
                self._add(key_node, path, "merging is not supported in this file: write the keys out")
            elif name not in known:
                guess = did_you_mean(name, known) if len(self.mistakes) < MOST_LISTED else ""  # slow, and not printed
                self._add(key_node, path, f"unknown key{guess}")
            else:
                yield name, value_node
            seen.setdefault(name, _line(key_node))

    def _check_section(self, node: yaml.Node, expected: inspect.StructType, key: str) -> dict[str, Any]:
        fields = {one.name: one.type for one in expected.fields}
        return {
            name: self.check(value, fields[name], _joined(key, name))
            for name, value in self._pairs(node, list(fields), key)
        }

    def _check_table(self, node: yaml.Node, expected: inspect.DictType, key: str) -> dict[str, Any]:
        assert isinstance(expected.key_type, inspect.LiteralType)
        names = [str(value) for value in expected.key_type.values]
        return {
            name: self.check(value, expected.value_type, _joined(key, name))
            for name, value in self._pairs(node, names, key)
        }

    def _check_list(self, node: yaml.Node, expected: inspect.Type, key: str) -> list[Any] | None:
        listed = items_of(expected)
        assert isinstance(listed, inspect.VarTupleType | inspect.TupleType)
        if not isinstance(node, yaml.SequenceNode):
            got = shown(node) if isinstance(node, yaml.ScalarNode) else "a section"
            self._add(node, key, f"must be {described(expected)}, got {got}")
            return None
        count = len(node.value)
        if not has_length(count, listed):
            self._add(node, key, f"must be {described(expected)}, got {count} {'entry' if count == 1 else 'entries'}")
            return None
        types = listed.item_types if isinstance(listed, inspect.TupleType) else (listed.item_type,) * count
        pairs = zip(node.value, types, strict=True)
        return [self.check(item, kind, f"{key}[{index}]") for index, (item, kind) in enumerate(pairs)]

    def _check_leaf(self, node: yaml.Node, expected: inspect.Type, key: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            kind = "a list" if isinstance(node, yaml.SequenceNode) else "a section"
            self._add(node, key, f"must be {described(expected)}, got {kind}")
            return None
        if self._nulls and node.tag == NULL:
            return None
        value = value_of(node, expected)
        if not fits(value, expected):
            got = "" if key == ADDRESS and node.value else f", got {shown(node)}"
            self._add(node, key, f"must be {described(expected)}{got}")
        return value


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


class _Nodes(yaml.representer.SafeRepresenter):
    """Conversion of values to nodes, with text in quotes as in JSON."""

    def __init__(self) -> None:
        super().__init__(sort_keys=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Return True: each value becomes its own node."""
        return True


_Nodes.add_representer(str, lambda nodes, text: nodes.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _mistake(node: yaml.Node, key: str, sentence: str) -> Mistake:
    mark = node.start_mark
    return Mistake(0, 0, key, sentence) if mark is None else Mistake(mark.line + 1, mark.column + 1, key, sentence)


def _line(node: yaml.Node) -> int:
    return 0 if node.start_mark is None else node.start_mark.line + 1


class Document(msgspec.Struct, frozen=True):
    """Settings file without a mistake."""

    settings: Settings
    values: Tree  # the file's own values; the rest of `settings` is defaults


def usual_file() -> Path | None:
    """Return the first of USUAL_PLACES that exists, else None."""
    return next((path for path in USUAL_PLACES if path.is_file()), None)


def load_settings(path: Path) -> Settings:
    """Load the settings in ``path``, see `load_document`."""
    return load_document(path).settings


def load_document(path: Path) -> Document:
    """Load a settings file; an empty one gives all defaults.

    Raises:
        SettingsError: the file cannot be read, or has mistakes: one line for each.
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
    """Parse YAML to settings, or None and all mistakes in the order of the file."""
    document, mistakes = parse_document(text)
    return (None, mistakes) if document is None else (document.settings, [])


def parse_document(text: str) -> tuple[Document | None, list[Mistake]]:
    """Parse YAML to a document, or None and all mistakes in the order of the file."""
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
            RecursionError: it is nested too deeply. PyYAML's time is quadratic in the depth: 3 KB of `[` take 20 s.
        """
        if self.flow_level >= DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(token_class)


def _composed(text: str) -> yaml.Node | Mistake | None:
    r"""Return the root node, None for an empty text, or a mistake.

    Beside YAMLError, PyYAML raises ValueError (`"\UFFFFFFFF"`, `%YAML` with 5,000 digits) and RecursionError.
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
    """Return PyYAML's error as one line; its position may be after the cause."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        problem = str(error.problem)
        cure = next((cure for words, cure in CURES.items() if words in problem), None)
        return Mistake(mark.line + 1, mark.column + 1, "", f"is not YAML: {cure or problem}")
    reason = " ".join(str(error).split())
    return Mistake(1, 1, "", f"is not YAML: {reason}")
