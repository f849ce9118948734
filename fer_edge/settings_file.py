"""`config.yaml` to `Settings`, naming every mistake at once, each with its place and what to do.

The YAML is parsed to nodes rather than to values, because only nodes know their line and column. The nodes are walked
beside the types of `config.Settings`: each leaf is checked alone, so one mistake does not hide the next.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from fer_edge.config import Settings, contradictions
from fer_edge.errors import SettingsError
from fer_edge.settings_leaf import fits, shown, value_of, wanted

# Where `fer-edge` looks when no file is named: the folder it is started in, then where the service keeps it.
USUAL_PLACES = (Path("config.yaml"), Path("/etc/fer-edge/config.yaml"))
MAX_BYTES = 1_000_000  # a settings file is about 8 KB; this bounds what a wrong path can make us read


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong in a settings file."""

    line: int  # from 1
    column: int  # from 1
    key: str  # dotted, empty for the file as a whole
    sentence: str

    def render(self, path: Path) -> str:
        """`config.yaml:14:7: decide.enter: must be between 0 and 1, got 1.7`."""
        return f"{path}:{self.line}:{self.column}: " + (f"{self.key}: " if self.key else "") + self.sentence


def usual_file() -> Path | None:
    """The first settings file that exists in the usual places, None where there is none."""
    return next((path for path in USUAL_PLACES if path.is_file()), None)


def load_settings(path: Path) -> Settings:
    """The settings in ``path``; an empty file gives all defaults.

    Raises:
        SettingsError: the file cannot be read, or holds mistakes: one line for each.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SettingsError(f"{path}: larger than {MAX_BYTES} bytes, this is not a settings file")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text, save it as UTF-8") from error
    settings, mistakes = parse_settings(text)
    if settings is None:
        raise SettingsError("\n".join(mistake.render(path) for mistake in mistakes))
    return settings


def parse_settings(text: str) -> tuple[Settings | None, list[Mistake]]:
    """The settings that ``text`` (YAML) holds, or None and all its mistakes in the order of the file."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return None, [_from_yaml_error(error)]
    if root is None:
        return Settings(), []
    walk = _Walk()
    values = walk.check(root, inspect.type_info(Settings), "")
    if walk.mistakes:
        return None, sorted(walk.mistakes, key=lambda mistake: (mistake.line, mistake.column))
    settings = msgspec.convert(values, Settings)
    mistakes = [walk.mistake_at(key, sentence) for key, sentence in contradictions(settings)]
    return (None, mistakes) if mistakes else (settings, [])


class _Walk:
    """Walks nodes beside types and gathers mistakes; made for one file, used once."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._places: dict[str, yaml.Node] = {}

    def check(self, node: yaml.Node, expected: inspect.Type, key: str) -> Any:
        """The plain value of ``node``; what does not fit ``expected`` is noted."""
        self._places[key] = node
        if isinstance(expected, inspect.StructType):
            return self._check_section(node, expected, key)
        if isinstance(expected, inspect.DictType):
            return self._check_table(node, expected, key)
        return self._check_leaf(node, expected, key)

    def mistake_at(self, key: str, sentence: str) -> Mistake:
        """A mistake at ``key``, or at the nearest section above it that the file holds."""
        place = key
        while place and place not in self._places:
            place = place.rpartition(".")[0]
        mark = self._places[place].start_mark
        return Mistake(mark.line + 1, mark.column + 1, key, sentence)

    def _note(self, node: yaml.Node, key: str, sentence: str) -> None:
        self.mistakes.append(Mistake(node.start_mark.line + 1, node.start_mark.column + 1, key, sentence))

    def _pairs(self, node: yaml.Node, known: list[str], key: str) -> Iterator[tuple[str, yaml.Node]]:
        """The entries of a mapping whose keys are known and stand there once; the others are noted."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return  # `camera:` with everything below it commented out
        if not isinstance(node, yaml.MappingNode):
            self._note(node, key, f"must hold keys, indented below it: {', '.join(known)}")
            return
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            name = str(key_node.value)
            path = _joined(key, name)
            if name in seen:
                self._note(key_node, path, f"stands twice, first in line {seen[name]}: keep one")
            elif name not in known:
                self._note(key_node, path, f"unknown key{_did_you_mean(name, known)}")
            else:
                yield name, value_node
            seen.setdefault(name, key_node.start_mark.line + 1)

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

    def _check_leaf(self, node: yaml.Node, expected: inspect.Type, key: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            kind = "a list" if isinstance(node, yaml.SequenceNode) else "a section"
            self._note(node, key, f"must be {wanted(expected)}, got {kind}")
            return None
        value = value_of(node, expected)
        if not fits(value, expected):
            self._note(node, key, f"must be {wanted(expected)}, got {shown(node)}")
        return value


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f", did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"


def _from_yaml_error(error: yaml.YAMLError) -> Mistake:
    """YAML's own complaint as one line; its place is where it noticed, which may be after the cause."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return Mistake(mark.line + 1, mark.column + 1, "", f"is not YAML: {error.problem}")
    reason = " ".join(str(error).split())
    return Mistake(1, 1, "", f"is not YAML: {reason}")
