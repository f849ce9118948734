from pathlib import Path

import msgspec
import pytest
import yaml

from fer_edge.config.loader import load_settings, parse_settings
from fer_edge.config.model import Settings
from fer_edge.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parents[2]


def complaints(text: str) -> list[str]:
    settings, mistakes = parse_settings(text)
    assert (settings is None) == bool(mistakes)
    return [mistake.render(Path("c.yaml")) for mistake in mistakes]


def test_empty_file_and_a_file_of_comments_give_all_defaults() -> None:
    assert parse_settings("")[0] == Settings()
    assert parse_settings("# nothing\n")[0] == Settings()


def test_section_whose_keys_are_all_commented_out_gives_its_defaults() -> None:
    assert parse_settings("camera:\n  # width: 320\n")[0] == Settings()


def test_value_is_taken_and_the_rest_stays_at_its_default() -> None:
    settings, _ = parse_settings("decide:\n  enter: 0.8\n  emotions:\n    sad: {enter: 0.9}\n")
    assert settings is not None
    assert settings.decide.enter == 0.8
    assert settings.decide.emotions["sad"].enter == 0.9
    assert settings.decide.emotions["sad"].leave is None
    assert settings.camera == Settings().camera


def test_zones_are_read_as_points() -> None:
    settings, _ = parse_settings("privacy:\n  zones:\n  - [[0, 0], [0.5, 0], [0.5, 1]]\n")
    assert settings is not None
    assert settings.privacy.zones == (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0)),)
    assert parse_settings("privacy: {zones: []}")[0] == Settings()


def test_text_that_yaml_would_make_a_number_or_boolean_stays_text() -> None:
    settings, _ = parse_settings("device: off\nmqtt: {protocol: 5, username: 0123}\n")
    assert settings is not None
    assert (settings.device, settings.mqtt.protocol, settings.mqtt.username) == ("off", "5", "0123")


def test_camera_source_may_be_a_number_or_a_text() -> None:
    for text, expected in (("1", 1), ("/dev/video0", "/dev/video0"), ('"1"', "1")):
        settings, _ = parse_settings(f"camera:\n  source: {text}\n")
        assert settings is not None
        assert settings.camera.source == expected


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    assert complaints(
        'camera:\n  widht: 640\n  rate_hz: 0\ndecide:\n  enter: 1.7\nmqtt:\n  port: "1883"\nfoo: 1\n'
    ) == [
        "c.yaml:2:3: camera.widht: unknown key, did you mean width?",
        "c.yaml:3:12: camera.rate_hz: must be a number above 0 and at most 120, got 0",
        "c.yaml:5:10: decide.enter: must be a number between 0 and 1, got 1.7",
        "c.yaml:7:9: mqtt.port: must be a whole number between 1 and 65535, got '1883'",
        (
            "c.yaml:8:1: foo: unknown key; there are device, log_level, memory_max_mib, camera, detect, track, gates, "
            "classify, decide, mqtt, publish, record, preview, privacy, governor, home_assistant"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("decide: {enter: .nan}", "c.yaml:1:17: decide.enter: must be a number between 0 and 1, got .nan"),
        ("decide: {dwell_s: .inf}", "c.yaml:1:19: decide.dwell_s: must be a number between 0 and 86400, got .inf"),
        (
            "decide: {enter: 1" + "0" * 400 + "}",
            "c.yaml:1:17: decide.enter: must be a number between 0 and 1, got 1" + "0" * 36 + "...",
        ),
        ("decide: {enter: true}", "c.yaml:1:17: decide.enter: must be a number between 0 and 1, got true"),
        ("camera: {width: 64.5}", "c.yaml:1:17: camera.width: must be a whole number between 64 and 4096, got 64.5"),
        ("camera: {rotate: 45}", "c.yaml:1:18: camera.rotate: must be one of 0, 90, 180, 270, got 45"),
        ("camera: {loop: 1}", "c.yaml:1:16: camera.loop: must be true or false, got 1"),
        ("camera: {width: }", "c.yaml:1:16: camera.width: must be a whole number between 64 and 4096, got nothing"),
        ("camera: {width: [1]}", "c.yaml:1:17: camera.width: must be a whole number between 64 and 4096, got a list"),
        (
            "mqtt: {host: ''}",
            "c.yaml:1:14: mqtt.host: must be a name or an IP address of at most 255 characters, got an empty text",
        ),
        (
            "mqtt: {tls: true}",
            "c.yaml:1:13: mqtt.tls: must be a section of these keys, indented: enabled, ca, certificate, key",
        ),
        (
            "privacy: {zones: [[[0, 0], [1, 0]]]}",
            "c.yaml:1:19: privacy.zones[0]: must be a list of 3 to 100 points [x, y] around the zone, got 2 entries",
        ),
        (
            "privacy: {zones: [[[0, 0], [1, 0], [1]]]}",
            (
                "c.yaml:1:36: privacy.zones[0][2]: must be a point [x, y], two numbers between 0 and 1: fractions "
                "of the frame's width and height, got 1 entry"
            ),
        ),
        (
            "privacy: {zones: [[[0, 0], [1, 0], [1, 640]]]}",
            "c.yaml:1:40: privacy.zones[0][2][1]: must be a number between 0 and 1, got 640",
        ),
        ("privacy: {zones: left}", "c.yaml:1:18: privacy.zones: must be a list of at most 100 zones, got left"),
        (
            "device: a/b",
            (
                "c.yaml:1:9: device: must be at most 100 characters without /, #, +, spaces and control characters, "
                "got a/b"
            ),
        ),
        ("decide: {enter: 2020-13-45}", "c.yaml:1:17: decide.enter: must be a number between 0 and 1, got 2020-13-45"),
        ("log_level: info\nlog_level: debug", "c.yaml:2:1: log_level: duplicate key, first in line 1: keep one"),
    ],
)
def test_mistake_says_where_what_and_what_would_be_right(text: str, sentence: str) -> None:
    assert complaints(text) == [sentence]


@pytest.mark.parametrize("text", ["a: [1,", "\tx: 1", "- 1\n- 2", "just words", "a: *nowhere", "\x00"])
def test_what_is_not_a_mapping_of_keys_is_one_line_with_its_place(text: str) -> None:
    (line,) = complaints(text)
    assert line.startswith("c.yaml:1:")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("decide: {leave: 0.9}", "decide.leave"),
        ("decide: {enter: 0.3, leave: 0.1, emotions: {sad: {leave: 0.5}}}", "decide.emotions.sad.leave"),
        ("detect: {backend: yunet}", "detect.model"),
        ("privacy: {zones: [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [1, 0], [0, 1]]]}", "privacy.zones[1]"),
        ("privacy: {mode: aggregate}\npublish: {summary_s: 30}", "publish.summary_s"),
        ("privacy: {mode: aggregate}\nrecord: {enabled: true}", "record.enabled"),
        ("privacy: {mode: aggregate}\npreview: {enabled: true}", "preview.enabled"),
        ("mqtt: {tls: {enabled: true, key: k.pem}}", "mqtt.tls.certificate"),
        ("camera: {source: 'rtsp://joe:pw@host/1', username: joe}", "camera.username"),
        ("camera: {source: 'http:// @host', username: joe, password_file: pw}", "camera.username"),
        ("camera: {source: 'rtsp://host/1', password_file: pw}", "camera.password_file"),
    ],
)
def test_settings_that_contradict_each_other_are_a_mistake(text: str, key: str) -> None:
    (line,) = complaints(text)
    assert f" {key}: " in line


@pytest.mark.parametrize(
    "camera",
    [
        "{source: 'rtsp://host/live@1', username: joe, password_file: pw, transport: udp}",
        "{source: 'http://host/?mail=a@b', username: joe}",  # the password may be systemd's credential
        "{source: 'rtsp://joe:pw@host/1'}",
        "{source: me@home.jpg, username: joe}",
    ],
)
def test_camera_that_has_one_user_name_is_fine(camera: str) -> None:
    assert complaints(f"camera: {camera}") == []


def test_own_threshold_that_agrees_with_the_general_one_is_fine() -> None:
    assert complaints("decide: {emotions: {sad: {enter: 0.9}, happy: {leave: 0.1}}}") == []


def test_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file") as caught:
        load_settings(tmp_path / "none.yaml")
    assert caught.value.exit_code == 78
    (tmp_path / "latin.yaml").write_bytes(b"device: caf\xe9\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings(tmp_path / "latin.yaml")
    with pytest.raises(SettingsError, match="Is a directory"):
        load_settings(tmp_path)


def test_large_file_named_by_accident_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"#" * 2_000_000)
    with pytest.raises(SettingsError, match="larger than 100000 bytes"):
        load_settings(tmp_path / "video.mp4")


def test_config_yaml_holds_every_key_at_its_default() -> None:
    assert load_settings(REPOSITORY / "config.yaml") == Settings()

    def keys(values: dict[str, object], prefix: str = "") -> set[str]:
        found = set()
        for name, value in values.items():
            nested = isinstance(value, dict) and name != "emotions"
            found |= keys(value, f"{prefix}{name}.") if nested else {prefix + name}
        return found

    written = keys(yaml.safe_load((REPOSITORY / "config.yaml").read_text()))
    assert written == keys(msgspec.to_builtins(Settings()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('camera: {source: " "}', "camera.source: is empty: set a camera, a URL, a video or a folder"),
        ("camera: {source: 'ftp://host/x'}", "camera.source: must be rtsp:// or http://, not ftp://"),
        (
            "camera: {source: 'git+ssh://host'}",
            "camera.source: must be rtsp:// or http://, not git+ssh://",
        ),
        (
            "{camera: {rate_hz: 0.25}, track: {lost_s: 10}}",
            "camera.stall_s: must be at least 8, two frames at camera.rate_hz, got 4",
        ),
        (
            "{camera: {rate_hz: 5}, detect: {every: 30}}",
            "track.lost_s: must be at least 6, the detection interval by detect.every and camera.rate_hz, got 2",
        ),
        ("mqtt: {host: 'mqtt://broker'}", "mqtt.host: must be only a host name or an IP address, without mqtt://"),
        (
            "mqtt: {host: 'broker:1883'}",
            "mqtt.host: must be only a host name or an IP address: the port belongs in mqtt.port, got broker:1883",
        ),
    ],
)
def test_address_or_pace_that_cannot_work_is_a_mistake_that_says_what_to_do(text: str, sentence: str) -> None:
    (line,) = complaints(text)
    assert line.partition(" ")[2] == sentence


@pytest.mark.parametrize(
    "text",
    [
        "camera: {source: RTSP://camera/1, rate_hz: 0.1}",
        "camera: {source: pictures, rate_hz: 0.1}",  # a folder may be shown as slowly as one likes
        "{camera: {rate_hz: 5}, detect: {every: 3}}",
        "mqtt: {host: '::1'}",
    ],
)
def test_address_and_pace_that_work_are_fine(text: str) -> None:
    assert complaints(text) == []


@pytest.mark.parametrize("value", ['"a\\0b"', "x" * 101])
def test_device_that_no_topic_can_hold_is_a_mistake(value: str) -> None:
    (line,) = complaints(f"device: {value}")
    assert "device: must be at most 100 characters without /" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("camera:\n\twidth: 640\n", "c.yaml:2:1: is not YAML: indent with spaces, not with tabs"),
        ("a: b: c\n", "c.yaml:1:5: is not YAML: a value that contains a colon needs quotes"),
        ("device: a\n---\ndevice: b\n", "is not YAML: it contains a second document (---): keep one"),
        ("[" * 3000, "c.yaml:1:1: is not a settings file: it is nested too deeply"),
        ("device: " + "[" * 31 + "]" * 31, "c.yaml:1:1: is not a settings file: it is nested too deeply"),
        ("? [a, b]\n: 1\n", "c.yaml:1:3: a list or a section in place of a key"),
    ],
)
def test_text_that_is_no_settings_is_one_line_in_plain_words(text: str, words: str) -> None:
    (line,) = complaints(text)
    assert words in line
