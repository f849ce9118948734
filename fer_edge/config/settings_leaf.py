"""One value of a settings file against the type that `config.py` gives its key: does it fit, and if not, what would."""

import math
import re
from typing import Any

import yaml
from msgspec import inspect

SHOWN_CHARACTERS = 40
TEXT = "tag:yaml.org,2002:str"
NULL = "tag:yaml.org,2002:null"
STANDARD = "tag:yaml.org,2002:"
# ${NAME}, {NAME} as Frigate has it, and $NAME alone or before a path.
VARIABLE = re.compile(r"\$\{[^}]*\}|\{[A-Z][A-Z0-9_]*\}|^\$[A-Z_][A-Z0-9_]*(?=/|$)")
INSTEAD = "write the value itself; a password belongs in mqtt.password_file or camera.password_file"
HIDDEN = "what is not shown: an address may hold a password"

_RESOLVER = yaml.resolver.Resolver()


def value_of(node: yaml.ScalarNode, expected: inspect.Type) -> Any:
    """The Python value of a scalar.

    Where only text is expected it is what the user wrote: YAML would make a number of `protocol: 5`, a boolean of
    `device: off`. What YAML itself cannot read (a date with month 13) stays text as well.
    """
    if _is_text(expected):
        return None if node.tag == NULL else node.value
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        return node.value


def unsupported(node: yaml.Node, *, secret: bool) -> str | None:
    """Return what is wrong with a node beside its value, None where nothing is: a tag such as `!secret`, a variable.

    Both are replaced by other programs, so that taken as text they would become a strange host or path. Only `!!str`
    is taken: it says what the key's type says already. ``secret``: the value is not shown.
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
    """Whether a leaf's value has the type and lies in the range; NaN and infinity never do."""
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
    raise NotImplementedError(f"config.py uses {expected}, teach settings_leaf.py to check it")


def wanted(expected: inspect.Type) -> str:  # noqa: PLR0911 one return a type reads best
    """What a leaf must be, in words: `a number between 0 and 1`."""
    match expected:
        case inspect.Metadata():
            described = (expected.extra_json_schema or {}).get("description")
            return str(described) if described else wanted(expected.type)
        case inspect.UnionType():
            return " or ".join(wanted(one) for one in expected.types if not isinstance(one, inspect.NoneType))
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
    raise NotImplementedError(f"config.py uses {expected}, teach settings_leaf.py to name it")


def items_of(expected: inspect.Type) -> inspect.Type:
    """The list type below a description; any other type as it is."""
    return items_of(expected.type) if isinstance(expected, inspect.Metadata) else expected


def has_length(count: int, expected: inspect.VarTupleType | inspect.TupleType) -> bool:
    """Whether a list may have so many entries."""
    if isinstance(expected, inspect.TupleType):
        return count == len(expected.item_types)
    return (expected.min_length or 0) <= count <= (expected.max_length or count)


def shown(node: yaml.ScalarNode) -> str:
    """A value as the user wrote it, shortened; quotes stay, because `"5"` is not `5`."""
    if not node.value:
        return "nothing" if node.style is None else "an empty text"
    return printable(" ".join(node.value.split())) if node.style is None else repr(_short(node.value))


def printable(text: str) -> str:
    """``text`` shortened; escaped where a terminal could not show it, hidden where it may be an address."""
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
    r"""Return whether a text has the length and form, and can be written as UTF-8: `"\ud800"` of YAML cannot."""
    fitting = (expected.min_length or 0) <= len(value) <= (expected.max_length or len(value))
    encodable = not any("\ud800" <= character <= "\udfff" for character in value)
    return fitting and encodable and (expected.pattern is None or re.search(expected.pattern, value) is not None)


def _in_range(value: float, expected: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (isinstance(value, int) or math.isfinite(value))  # a whole number may be too large to be made a float
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
