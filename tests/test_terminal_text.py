"""Escaping of untrusted text for terminal and log."""

import msgspec

from fer_edge.terminal import json_text, printable


def test_no_character_of_a_text_is_obeyed_by_a_terminal() -> None:
    assert printable("caf\u00e9 \x1b[2J\n\x9b\u202e") == r"café \x1b[2J\n\x9b\u202e".replace(r"\u00e9", "\u00e9")
    assert printable("plain") == "plain"


def test_json_for_a_terminal_is_printable_and_means_the_same() -> None:
    value = {"a\x9b": ["\x7f\u202e\x1b", "caf\u00e9", "\U000e0001", "\ufeff"]}
    text = json_text(value)
    assert text.isprintable()
    assert msgspec.json.decode(text) == value
