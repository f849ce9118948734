"""The device as Home Assistant finds it: what its schema asks for, and what of ours it names."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from fer_edge.capture.supervisor import CameraPhase
from fer_edge.config.model import HomeAssistantSettings, Settings
from fer_edge.config.runtime import check_change
from fer_edge.homeassistant.discovery import BirthWatch, Discovery, device_id, removal
from fer_edge.homeassistant.entities import FIGURES
from fer_edge.mqtt.requests import ReceivedMessage
from fer_edge.mqtt.topics import Topics
from fer_edge.types import EventKind

TOPICS = Topics("fer_edge", "porch")
DISCOVERY = Discovery(TOPICS, "homeassistant", "1.2.3", "fer-nano", tuple(CameraPhase), (CameraPhase.RUNNING,))


def components() -> dict[str, dict]:
    return msgspec.json.decode(DISCOVERY.message().payload)["components"]


def test_device_is_found_retained_under_its_own_name() -> None:
    message = DISCOVERY.message()
    assert (message.topic, message.retain, message.qos) == ("homeassistant/device/fer_edge_porch/config", True, 1)
    payload = msgspec.json.decode(message.payload)
    assert payload["device"]["name"] == "porch"
    assert payload["origin"]["name"] == "fer-edge"
    assert payload["origin"]["sw_version"] == payload["device"]["sw_version"] == "1.2.3"


def test_removal_is_an_empty_retained_message_in_the_same_place() -> None:
    gone = removal(TOPICS, "homeassistant")
    assert (gone.topic, gone.payload, gone.retain) == (DISCOVERY.message().topic, b"", True)


def test_every_entity_has_its_platform_and_an_id_of_its_own() -> None:
    found = components()
    assert all({"platform", "unique_id", "name"} <= set(entity) for entity in found.values())
    assert len({entity["unique_id"] for entity in found.values()}) == len(found)
    assert len({(entity["platform"], entity["name"]) for entity in found.values()}) == len(found)
    assert found["face"]["event_types"] == [kind.value for kind in EventKind]


def test_what_is_seen_hangs_on_the_camera_and_nothing_else_does() -> None:
    by_camera = {key for key, entity in components().items() if TOPICS.state in str(entity.get("availability"))}
    assert by_camera == {"dominant_emotion", "faces"}
    rest = [entity for key, entity in components().items() if key not in by_camera]
    assert all(entity["availability_topic"] == TOPICS.availability for entity in rest)


def test_every_figure_of_health_is_a_diagnostic_entity() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "mqtt.md"
    chapter = page.read_text().partition("## `health`")[2].partition("\n## ")[0]
    figures = set(re.findall(r"^\| `([a-z_0-9.]+)` \| (?:number|integer) ", chapter, re.MULTILINE))
    figures -= {"schema", "window_s", "camera.for_s"}  # what is said of the message, and an attribute of the camera
    shown = {figure.path or figure.key for figure in FIGURES}
    assert shown == figures
    found = components()
    assert all(found[figure.key]["entity_category"] == "diagnostic" for figure in FIGURES)


def test_aggregate_mode_has_summaries_in_place_of_what_is_seen_and_takes_the_others_back() -> None:
    full, aggregate = (
        components(),
        msgspec.json.decode(replace(DISCOVERY, aggregate=True).message().payload)["components"],
    )
    assert set(full) == set(aggregate)
    gone = {key: entity for key, entity in aggregate.items() if set(entity) == {"platform"}}
    assert gone == {
        "dominant_emotion": {"platform": "sensor"},
        "faces": {"platform": "sensor"},
        "face": {"platform": "event"},
    }
    assert full["summary_happy"]["enabled_by_default"] is False
    assert "enabled_by_default" not in aggregate["summary_happy"]
    assert TOPICS.state not in str(aggregate)
    assert TOPICS.event not in str(aggregate)


def test_every_number_asks_for_a_setting_that_exists_and_takes_its_bounds() -> None:
    numbers = {key: entity for key, entity in components().items() if entity["platform"] == "number"}
    assert {"enter", "leave", "dwell_s", "min_width_px", "enter_sad"} <= set(numbers)
    for key, entity in numbers.items():
        assert entity["command_topic"] == TOPICS.request("settings")
        for value in (entity["min"], entity["max"]):
            change = msgspec.json.decode(entity["command_template"].replace("{{ value }}", f"{value:g}"))
            assert check_change(change) == [], key
        for value in (entity["min"] - 1, entity["max"] + 1):
            change = msgspec.json.decode(entity["command_template"].replace("{{ value }}", f"{value:.9g}"))
            assert check_change(change), key
        path = re.findall(r"value_json\.settings\.([a-z_.]+)\.value", entity["value_template"])[0].split(".")
        assert path[-1] in msgspec.to_builtins(Settings())[path[0]]


def test_button_s_and_switch_s_words_are_requests_without_a_mistake() -> None:
    found = components()
    assert check_change(msgspec.json.decode(found["reset_thresholds"]["payload_press"])) == []
    assert found["pause"]["command_topic"] == TOPICS.request("pause")
    assert msgspec.json.decode(found["pause"]["payload_on"]) == {"paused": True}
    assert msgspec.json.decode(found["pause"]["payload_off"]) == {"paused": False}


@pytest.mark.parametrize(
    ("prefix", "device", "plain"),
    [("fer_edge", "porch", "fer_edge_porch"), ("home/cams", "p-1", "home_cams_p-1"), ("fer_edge", "küche", None)],
)
def test_device_s_id_is_made_of_what_home_assistant_takes(prefix: str, device: str, plain: str | None) -> None:
    name = device_id(Topics(prefix, device))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)
    assert name == plain or plain is None
    assert device_id(Topics("fer_edge", "küche")) != device_id(Topics("fer_edge", "k_che"))


def test_birth_is_answered_once_after_its_jitter_and_a_death_never() -> None:
    birth = BirthWatch(HomeAssistantSettings(), lambda: 0.5)
    birth.receive(ReceivedMessage(birth.topic, b"offline", retained=False), 100.0)
    assert not birth.is_due(200.0)
    birth.receive(ReceivedMessage(birth.topic, b"online", retained=True), 100.0)
    birth.receive(ReceivedMessage(birth.topic, b"online", retained=False), 101.0)
    assert not birth.is_due(102.4)
    assert birth.is_due(102.5)
    assert not birth.is_due(103.0)
