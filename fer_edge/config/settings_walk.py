"""YAML nodes beside the types of `config.Settings`: the values they hold, or every mistake in them with its place.

Nodes rather than values, because only nodes know their line and column. Each leaf is checked alone, so one mistake does
not hide the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from fer_edge.config.model import Settings
from fer_edge.config.rules import contradictions
from fer_edge.config.settings_leaf import (
    NULL,
    fits,
    has_length,
    items_of,
    printable,
    shown,
    unsupported,
    value_of,
    wanted,
)
from fer_edge.config.spelling import did_you_mean

MOST_LISTED = 20  # mistakes; more would be pages of a log, or an answer that the broker refuses
MERGE = "<<"
ADDRESS = "camera.source"  # an address may hold a password

Tree = dict[str, Any]  # sections as dictionaries, values as YAML and JSON know them


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong in settings."""

    line: int  # from 1; 0 where there is no text
    column: int  # from 1; 0 where there is no text
    key: str  # dotted, empty for the file as a whole
    sentence: str

    def render(self, path: Path) -> str:
        """`config.yaml:14:7: decide.enter: must be between 0 and 1, got 1.7`."""
        return f"{path}:{self.line}:{self.column}: {self}"

    def __str__(self) -> str:
        return (f"{self.key}: " if self.key else "") + self.sentence


def settle(values: Tree) -> tuple[Settings | None, list[Mistake]]:
    """The settings that checked ``values`` amount to, or None and where they contradict each other."""
    settings = msgspec.convert(values, Settings)
    mistakes = [Mistake(0, 0, key, sentence) for key, sentence in contradictions(settings)]
    return (None, listed(mistakes)) if mistakes else (settings, [])


def listed(mistakes: Sequence[Mistake], more: int = 0) -> list[Mistake]:
    """The first mistakes, and as one more how many there are beside them; ``more`` were counted already."""
    more += max(0, len(mistakes) - MOST_LISTED)
    kept = list(mistakes[:MOST_LISTED])
    return [*kept, Mistake(kept[-1].line, kept[-1].column, "", f"and {more} more mistakes")] if more else kept


def check_values(values: Mapping[str, Any], *, nulls: bool = False) -> list[Mistake]:
    """What is wrong with the keys and values of ``values``, each for itself; ``nulls``: any of them may be null."""
    walk = Walk(nulls=nulls)
    try:
        root = _Nodes().represent_data(dict(values))
    except RecursionError:
        return [Mistake(0, 0, "", "nested too deeply")]
    walk.check(root, inspect.type_info(Settings), "")
    return listed(walk.mistakes, walk.more)


class Walk:
    """Walks nodes beside types and gathers mistakes; made for one text, used once.

    ``nulls``: any value may be null, as in a change that takes something back.
    """

    def __init__(self, *, nulls: bool = False) -> None:
        self.mistakes: list[Mistake] = []
        self.more = 0  # mistakes beyond those
        self._nulls = nulls
        self._places: dict[str, yaml.Node] = {}

    def check(self, node: yaml.Node, expected: inspect.Type, key: str) -> Any:
        """The plain value of ``node``; what does not fit ``expected`` is noted."""
        self._places[key] = node
        if (sentence := unsupported(node, secret=key == ADDRESS)) is not None:
            self._note(node, key, sentence)
            return None
        if isinstance(expected, inspect.StructType):
            return self._check_section(node, expected, key)
        if isinstance(expected, inspect.DictType):
            return self._check_table(node, expected, key)
        if isinstance(items_of(expected), inspect.VarTupleType | inspect.TupleType):
            return self._check_list(node, expected, key)
        return self._check_leaf(node, expected, key)

    def mistake_at(self, key: str, sentence: str) -> Mistake:
        """A mistake at ``key``, or at the nearest section above it that the file holds."""
        place = key
        while place and place not in self._places:
            place = place.rpartition(".")[0]
        return _mistake(self._places[place], key, sentence)

    def _note(self, node: yaml.Node, key: str, sentence: str) -> None:
        if len(self.mistakes) < MOST_LISTED:
            self.mistakes.append(_mistake(node, key, sentence))
        else:
            self.more += 1

    def _pairs(self, node: yaml.Node, known: list[str], key: str) -> Iterator[tuple[str, yaml.Node]]:
        """The entries of a mapping whose keys are known and stand there once; the others are noted."""
        if isinstance(node, yaml.ScalarNode) and node.tag == NULL:
            return  # `camera:` with everything below it commented out
        if not isinstance(node, yaml.MappingNode):
            self._note(node, key, f"must hold keys, indented below it: {', '.join(known)}")
            return
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(key_node, key, "holds a list or a section where a key belongs")
                continue
            name = str(key_node.value)
            path = _joined(key, name if name in known else printable(name))
            if name in seen:
                self._note(key_node, path, f"stands twice, first in line {seen[name]}: keep one")
            elif name == MERGE:
                self._note(key_node, path, "merging is not supported in this file: write the keys out")
            elif name not in known:
                guess = did_you_mean(name, known) if len(self.mistakes) < MOST_LISTED else ""  # slow, and not listed
                self._note(key_node, path, f"unknown key{guess}")
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
            self._note(node, key, f"must be {wanted(expected)}, got {got}")
            return None
        count = len(node.value)
        if not has_length(count, listed):
            self._note(node, key, f"must be {wanted(expected)}, got {count} {'entry' if count == 1 else 'entries'}")
            return None
        types = listed.item_types if isinstance(listed, inspect.TupleType) else (listed.item_type,) * count
        pairs = zip(node.value, types, strict=True)
        return [self.check(item, kind, f"{key}[{index}]") for index, (item, kind) in enumerate(pairs)]

    def _check_leaf(self, node: yaml.Node, expected: inspect.Type, key: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            kind = "a list" if isinstance(node, yaml.SequenceNode) else "a section"
            self._note(node, key, f"must be {wanted(expected)}, got {kind}")
            return None
        if self._nulls and node.tag == NULL:
            return None
        value = value_of(node, expected)
        if not fits(value, expected):
            got = "" if key == ADDRESS and node.value else f", got {shown(node)}"
            self._note(node, key, f"must be {wanted(expected)}{got}")
        return value


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


class _Nodes(yaml.representer.SafeRepresenter):
    """Values as nodes, text in quotes as JSON has it."""

    def __init__(self) -> None:
        super().__init__(sort_keys=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its signature is the library's
        """Each value becomes a node of its own."""
        return True


_Nodes.add_representer(str, lambda nodes, text: nodes.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _mistake(node: yaml.Node, key: str, sentence: str) -> Mistake:
    mark = node.start_mark
    return Mistake(0, 0, key, sentence) if mark is None else Mistake(mark.line + 1, mark.column + 1, key, sentence)


def _line(node: yaml.Node) -> int:
    return 0 if node.start_mark is None else node.start_mark.line + 1
