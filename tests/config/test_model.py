"""The types of the settings: each text in them bounds what reaches topics, addresses and paths."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from fer_edge.config.loader import parse_settings
from fer_edge.config.model import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # the byte order mark


def texts(expected: inspect.Type, key: str = "") -> Iterator[tuple[str, inspect.StrType]]:
    """Every text that the settings hold, with its dotted key."""
    match expected:
        case inspect.StructType():
            for field in expected.fields:
                yield from texts(field.type, f"{key}.{field.name}".lstrip("."))
        case inspect.Metadata():
            yield from texts(expected.type, key)
        case inspect.UnionType():
            for member in expected.types:
                yield from texts(member, key)
        case inspect.StrType():
            yield key, expected


TEXTS = dict(texts(inspect.type_info(Settings)))
KEYS = pytest.mark.parametrize("key", sorted(TEXTS))


def written(key: str, value: str) -> str:
    """YAML with the value, each character escaped, at its place."""
    text = '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    for name in reversed(key.split(".")):
        text = f"{{{name}: {text}}}"
    return text


def test_all_texts_are_found() -> None:
    assert {"device", "camera.source", "mqtt.tls.key", "home_assistant.prefix", "preview.token_file"} <= set(TEXTS)


@KEYS
def test_every_text_has_a_pattern(key: str) -> None:
    assert TEXTS[key].pattern


@KEYS
@settings(deadline=None, max_examples=25)  # for each of some twenty keys
@given(before=st.text(max_size=5), control=st.sampled_from(["\n", "\r\n", "\0", "\x1b", "\x85", "\u2028", MARK]))
def test_no_text_ends_in_a_line_break_or_another_control_character(key: str, before: str, control: str) -> None:
    taken, mistakes = parse_settings(written(key, f"/{before}a{control}"))
    assert taken is None, mistakes
    assert [mistake.key for mistake in mistakes] == [key]


def test_no_pattern_of_the_package_ends_in_a_dollar_alone_which_a_line_break_passes() -> None:
    for path in (REPOSITORY / "fer_edge").rglob("*.py"):
        assert not re.search(r"pattern=\S*\$[\"']", path.read_text()), path


@KEYS
def test_no_text_holds_half_of_a_surrogate_pair(key: str) -> None:
    taken, mistakes = parse_settings(written(key, "/\ud800"))
    assert taken is None
    assert [mistake.key for mistake in mistakes] == [key]


@KEYS
def test_plain_word_fits_every_text(key: str) -> None:
    value = "/mqtt" if key == "mqtt.websocket_path" else "cam-\N{LATIN SMALL LETTER E WITH ACUTE}"
    _, mistakes = parse_settings(written(key, value))
    assert [mistake for mistake in mistakes if "must be" in mistake.sentence] == []
