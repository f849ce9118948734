"""A settings file with anything in it: settings, or one SettingsError whose lines name their places."""

import contextlib
import os
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.config.loader import load_document, load_settings, parse_document
from fer_edge.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parents[2]
SECTIONS = [
    "\n".join(line for line in part.splitlines() if not line.strip().startswith("#"))
    for part in re.split(r"\n(?=\w)", (REPOSITORY / "config.yaml").read_text())[1:]
]
STRANGE = (
    *(
        "!!bool x",
        '!!int ""',
        "!!timestamp x",
        "!!float x",
        "!!binary x",
        "!!set {a}",
        "!!null x",
        "!x",
        "!!python/none",
    ),
    *(r'"\0"', r'"\ud800"', r'"\UFFFFFFFF"', r'"\x1b[31m"', "9" * 5000, "0x" + "f" * 99, "1e999"),
    *(
        "[" * 500,
        "{a: " * 300,
        "- " * 300,
        "? " * 50,
        "&a [*a]",
        "*a",
        "&a",
        "<<: *a",
        "<<: {width: 320}",
        "---",
        "...",
    ),
    *(
        "%YAML 9999.1",
        "%TAG ! !",
        "!<tag:%FF>",
        "!!",
        "|",
        ">",
        "|9",
        "'",
        '"',
        "@",
        "`",
        "\t",
        "\r",
        "\x85",
    ),
    *(
        "2020-13-45",
        "0001-01-01 00:00:00 +99:99",
        "12:60:61",
        "0b_",
        "0o8",
        "=",
        "~",
        "null",
        ".nan",
        "-.inf",
        "_",
        "0_",
    ),
    *(
        "\x00",
        "\x07",
        "\x7f",
        "\ufeff",
        "\ufffe",
        "\U0001f600",
        "${HOME}",
        "!env X",
        "{X_Y}",
        ":",
        ": ",
        "#",
        ",",
        "]",
        "}",
    ),
)


def mutation(dice: random.Random) -> bytes:
    """Some lines of a section with one to four changes, as text or in their bytes."""
    lines = dice.choice(SECTIONS).splitlines()
    start = dice.randrange(len(lines))
    text = "\n".join([lines[0], *lines[start + 1 : start + 6]])
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(5):
            case 0:
                text = text[:at] + dice.choice(STRANGE) + text[at:]
            case 1:
                text = text[:at] + text[at + dice.randint(1, 10) :]
            case 2:
                text = re.sub(r": .*", lambda _: ": " + dice.choice(STRANGE), text, count=dice.randint(1, 3))
            case 3:
                lines = text.split("\n")
                dice.shuffle(lines)
                text = "\n".join(lines)
            case _:
                text = text[:at] + text[at : at + 20] * dice.randint(2, 50) + text[at + 20 :]
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if dice.random() < 0.2 and data:
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.slow)])
def test_mutations_of_config_yaml_raise_only_settings_errors_with_places(tmp_path: Path, count: int) -> None:
    dice = random.Random(15)
    path = tmp_path / "config.yaml"
    refused = 0
    for _ in range(count):
        path.write_bytes(mutation(dice))
        try:
            load_document(path)
        except SettingsError as error:
            refused += 1
            for line in str(error).split("\n"):
                assert re.match(rf"{re.escape(str(path))}:\d+:\d+: .", line), line
                assert line.isprintable(), ascii(line)
    assert count / 3 < refused < 0.997 * count  # accepted and rejected ones


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_raises_a_foreign_exception(text: str) -> None:
    parse_document(text)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_a_foreign_exception(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    with contextlib.suppress(SettingsError):
        load_document(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("camera: {loop: !!bool x}", "1:16: camera.loop: !!bool is not supported in this file: write the value itself"),
        ('camera: {width: !!int ""}', "1:17: camera.width: !!int is not supported in this file"),
        ("device: !!timestamp x", "1:9: device: !!timestamp is not supported in this file"),
        ("mqtt:\n  host: !secret mqtt_host", "2:9: mqtt.host: !secret is not supported in this file: write the value"),
        ("mqtt: !include mqtt.yaml", "1:7: mqtt: !include is not supported"),
        ("!x\ndevice: a", "1:1: !x is not supported"),
        ("mqtt: {host: '${MQTT_HOST}'}", "1:14: mqtt.host: ${MQTT_HOST} is not replaced in this file: write the value"),
        ("mqtt: {host: '{FRIGATE_MQTT_HOST}'}", "1:14: mqtt.host: {FRIGATE_MQTT_HOST} is not replaced"),
        ("record: {folder: $HOME/scores}", "1:18: record.folder: $HOME is not replaced in this file"),
        ("camera: {source: 'rtsp://joe:${PW}@cam/'}", "1:18: camera.source: a variable is not replaced in this file"),
        (r'classify: {model: "a\0b"}', "1:19: classify.model: must be a path of at most 4096 characters"),
        (r'mqtt: {username: "\ud800"}', "1:18: mqtt.username: must be text without control characters, got '\\ud800'"),
        (f"camera: {{source: {'9' * 5000}}}", "1:18: camera.source: must be a camera number from 0 to 1000"),
        (f"mqtt: {{port: {'9' * 5000}}}", "1:14: mqtt.port: must be a whole number between 1 and 65535, got 9999"),
        ("camera:\n  <<: {width: 320}", "2:3: camera.<<: merging is not supported in this file: write the keys out"),
        ("privacy: {zones: &a [*a]}", "1:18: privacy.zones[0]: must be a list of 3 to 100 points"),
        ('device: "\\UFFFFFFFF"', "1:"),
        ("device: a\nlog_level: \x07", "2:12: is not YAML: a control character"),
        ('"a\\nb\\e[31m": 1', "1:1: 'a\\nb\\x1b[31m': unknown key"),
    ],
)
def test_strange_value_is_named_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}:{line}")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    "text",
    [
        "device: !!str 5",
        "record: {folder: ~/scores}",
        "camera: {source: 'rtsp://joe:pa$Word@cam/{x}'}",
        "mqtt: {prefix: 'home/$a'}",
        "track: {iou: &n 0.4, score: *n}",
    ],
)
def test_what_only_looks_like_a_variable_a_tag_or_a_bomb_is_taken(text: str) -> None:
    document, mistakes = parse_document(text)
    assert document is not None, mistakes


def test_address_with_a_password_is_in_no_line() -> None:
    for text in (
        'camera: {source: "rtsp://joe:geheim@cam/\\n"}',
        "camera: {source: [rtsp://joe:geheim@cam/]}",
        "mqtt: {host: 'mqtt://joe:geheim@broker'}",
        "mqtt: {port: 'joe:geheim@broker'}",
        "'rtsp://joe:geheim@cam/': 1",
    ):
        _, mistakes = parse_document(text)
        assert mistakes
        assert "geheim" not in str(mistakes)


def test_aliases_that_would_grow_without_bound_are_refused_at_once() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    _, mistakes = parse_document(bomb + "privacy: {zones: *a11}\n")
    assert mistakes
    point, zone = "&p [0.5, 0.5]", "&z [" + ", ".join(["*p"] * 100) + "]"
    _, mistakes = parse_document(f"privacy: {{zones: [[{point}, [0, 0], [1, 0]], {zone}{', *z' * 200}]}}")
    assert [str(one) for one in mistakes] == ["privacy.zones: must be a list of at most 100 zones, got 202 entries"]


def test_only_the_first_mistakes_are_listed_and_the_others_counted() -> None:
    _, mistakes = parse_document("".join(f"key{n}: 1\n" for n in range(900)))
    assert [str(mistake) for mistake in mistakes[20:]] == ["and 880 more mistakes"]
    assert mistakes[0].key == "key0"


def test_device_fifo_link_and_large_file_are_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path in (fifo, link, Path("/dev/zero")):
        with pytest.raises(SettingsError, match="cannot be read: not a regular file"):
            load_settings(path)
    with pytest.raises(SettingsError, match="cannot be read: not a path"):
        load_settings(Path("a\0b"))
    large = tmp_path / "large"
    large.write_bytes(b"#" * 100_001)
    with pytest.raises(SettingsError, match="larger than 100000 bytes"):
        load_settings(large)


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfdevice: porch\r\n")
    assert load_settings(path).device == "porch"
