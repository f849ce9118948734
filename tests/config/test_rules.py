"""Settings beside each other: refused where it is dangerous, warned of where it is merely without effect."""

import pytest

from fer_edge.config.loader import parse_settings
from fer_edge.config.model import Settings
from fer_edge.config.rules import without_effect


def flaws(text: str) -> list[str]:
    return [str(mistake) for mistake in parse_settings(text)[1]]


def warned(text: str) -> list[str]:
    settings, mistakes = parse_settings(text)
    assert settings is not None, mistakes
    return [key for key, _ in without_effect(settings)]


@pytest.mark.parametrize("key", ["ca", "certificate", "key"])
def test_tls_file_without_tls_is_refused_because_the_password_would_go_in_clear(key: str) -> None:
    without = "has no effect without mqtt.tls.enabled: true; without TLS everything is sent in clear"
    assert flaws(f"mqtt: {{tls: {{{key}: c.pem}}}}") == [f"mqtt.tls.{key}: {without}"]


def test_tls_files_with_tls_are_fine() -> None:
    assert flaws("mqtt: {tls: {enabled: true, ca: c.pem, certificate: c.pem, key: k.pem}}") == []


def test_password_without_a_user_is_refused_and_with_one_is_fine() -> None:
    assert flaws("mqtt: {password_file: pw}") == ["mqtt.password_file: has no effect without mqtt.username: set it too"]
    assert flaws("mqtt: {password_file: pw, username: cam}") == []


@pytest.mark.parametrize(
    ("host", "flaw"),
    [
        ("[::1]", ", an IPv6 address without brackets: ::1"),
        ("[::1]:1883", ": the port belongs in mqtt.port, got [::1]:1883"),
        ("broker:1883", ": the port belongs in mqtt.port, got broker:1883"),
        ("broker ", " without spaces"),
        ("mqtt://broker", ", without mqtt://"),
        ("mqtt://joe:geheim@broker", ", without mqtt://"),
        ("joe:geheim@broker", ", without a user name"),
        ("broker..local", ": no part of a name may be empty or longer than 63 characters"),
        ("b" * 64 + ".local", ": no part of a name may be empty or longer than 63 characters"),
    ],
)
def test_broker_s_address_as_people_write_it_is_named_with_its_cure(host: str, flaw: str) -> None:
    assert flaws(f"mqtt: {{host: '{host}'}}") == [f"mqtt.host: must be only a host name or an IP address{flaw}"]


@pytest.mark.parametrize(
    "host", ["broker", "broker.local.", "192.168.1.2", "::1", "fe80::1%eth0", "b\u00fccher.example"]
)
def test_name_or_address_alone_is_fine(host: str) -> None:
    assert flaws(f"mqtt: {{host: '{host}'}}\npreview: {{address: '{host}'}}") == []


def test_preview_s_address_obeys_the_same_rule() -> None:
    assert flaws("preview: {address: '[::1]'}") == [
        "preview.address: must be only a host name or an IP address, an IPv6 address without brackets: ::1"
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("mqtt: {username: '?'}", "mqtt.username"),
        ("mqtt: {client_id: '?'}", "mqtt.client_id"),
        ("mqtt: {prefix: '?'}", "mqtt.prefix"),
        ("home_assistant: {prefix: '?'}", "home_assistant.prefix"),
    ],
)
def test_text_that_is_longer_than_mqtt_takes_is_refused_by_its_bytes(text: str, key: str) -> None:
    topic = len("/" + 64 * "x" + "/response/snapshot-state"), len("/device/" + 64 * "x" + "/config")
    room = 65_535 - {"mqtt.prefix": topic[0], "home_assistant.prefix": topic[1]}.get(key, 0)
    assert flaws(text.replace("?", "x" * room)) == []
    (long,) = flaws(text.replace("?", "x" * (room - 1) + "\u00e9"))
    assert long == f"{key}: is too long: 65536 bytes of UTF-8, the limit of MQTT is 65535"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("camera: {source: 0, username: joe, transport: udp, loop: true}", "username transport loop"),
        ("camera: {source: 'http://cam/', width: 320, transport: tcp}", "transport width"),
        ("camera: {source: film.mp4, height: 240}", "height"),
        ("camera: {source: 'rtsp://cam/', rate_hz: 5}", "rate_hz"),
    ],
)
def test_camera_s_setting_that_its_source_does_not_use_is_warned_of(text: str, keys: str) -> None:
    assert warned(text) == [f"camera.{key}" for key in keys.split()]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (
            "detect: {backend: haar, model: x.onnx, score: 0.5}\ntrack: {score: 0.4}",
            "detect.model detect.score track.score",
        ),
        ("mqtt: {websocket_path: /ws}", "mqtt.websocket_path"),
        (
            "privacy: {mode: aggregate}\nmqtt: {durability: strict}\npublish: {state_s: 2}",
            "mqtt.durability publish.state_s",
        ),
        ("record: {folder: rec, write_s: 5}", "record.folder record.write_s"),
    ],
)
def test_setting_that_another_one_makes_useless_is_warned_of(text: str, keys: str) -> None:
    assert warned(text) == keys.split()


@pytest.mark.parametrize(
    "text",
    [
        "camera: {source: 1, width: 320, height: 240}",
        "camera: {source: 'picamera:1', width: 320}",
        "camera: {source: 'rtsp://cam/', username: joe, transport: udp}",
        "camera: {source: film.mp4, loop: true}",
        "camera: {source: 'http://cam/snapshot.jpg', rate_hz: 1}",
        "detect: {backend: yunet, model: x.onnx, score: 0.5}",
        "mqtt: {transport: websocket, websocket_path: /ws}",
        "mqtt: {durability: strict}",
        "record: {enabled: true, folder: rec}",
    ],
)
def test_setting_that_is_used_is_not_warned_of(text: str) -> None:
    assert warned(text) == []


def test_defaults_warn_of_nothing() -> None:
    assert without_effect(Settings()) == []
