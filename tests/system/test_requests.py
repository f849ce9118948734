"""Requests to a running daemon over a real broker."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fer_edge.demo.broker import Broker
from tests.system.harness import DEVICE, GIVE_UP_S, Daemon, Subscriber

pytestmark = pytest.mark.system

Start = Callable[[dict[str, Any]], Daemon]


@pytest.fixture
def settings(broker: Broker, data: Path) -> dict[str, Any]:
    """A clip with one face, for ever; nothing is believed of it."""
    return {
        "device": DEVICE,
        "camera": {"source": str(data / "videos" / "single_face.mp4"), "loop": True},
        "decide": {"enter": 1.0, "leave": 0.35},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "publish": {"health_s": 1},
    }


@pytest.fixture
def daemon(start: Start, settings: dict[str, Any], subscriber: Subscriber) -> Daemon:
    one = start(settings)
    subscriber.wait_for(lambda heard: heard.of("event"), "a face")
    return one


def faces_appeared(subscriber: Subscriber) -> int:
    return [event["event_type"] for event in subscriber.of("event")].count("face_appeared")


def frames_since(subscriber: Subscriber, count: int) -> list[int]:
    """The frames that each health message after the ``count`` first tells."""
    subscriber.wait_for(lambda heard: len(heard.of("health")) >= count + 3, "three more health messages")
    return [health["frames"] for health in subscriber.of("health")[count : count + 3]]


def test_pause_closes_the_camera_and_says_so_everywhere_and_resume_looks_again(
    daemon: Daemon, subscriber: Subscriber
) -> None:
    answer = subscriber.answer("pause", '{"transaction":"t1"}')
    assert (answer["status"], answer["transaction"], answer["request"]) == ("ok", "t1", "pause")
    assert answer["data"] == {"paused": True, "kept": True}
    subscriber.wait_for(lambda heard: heard.of("event")[-1]["reason"] == "paused", "the farewell")
    subscriber.wait_for(lambda heard: heard.of("state")[-1]["camera"] == "paused", "the state")
    assert subscriber.of("state")[-1]["faces"] == []
    assert subscriber.of("settings")[-1]["paused"] is True
    said = len(subscriber.of("health"))
    events = len(subscriber.of("event"))
    assert frames_since(subscriber, said)[1:] == [0, 0]
    assert subscriber.of("health")[-1]["camera"]["state"] == "paused"
    assert len(subscriber.of("event")) == events
    assert subscriber.answer("resume")["data"] == {"paused": False, "kept": True}
    subscriber.wait_for(lambda heard: heard.of("event")[-1]["event_type"] == "face_appeared", "a face again")
    subscriber.wait_for(lambda heard: heard.of("state")[-1]["camera"] == "running", "the camera")
    assert subscriber.of("settings")[-1]["paused"] is False
    assert daemon.stop() == 0


def test_pause_outlives_a_kill_and_the_next_run_opens_no_camera_until_it_is_told(
    daemon: Daemon, subscriber: Subscriber, start: Start, settings: dict[str, Any]
) -> None:
    subscriber.answer("pause", '{"paused":true}')
    daemon.process.kill()
    daemon.process.wait()
    said, appeared = len(subscriber.of("health")), faces_appeared(subscriber)
    again = start(settings)
    assert frames_since(subscriber, said) == [0, 0, 0]
    assert subscriber.of("health")[-1]["camera"]["state"] == "paused"
    # What the killed one left unacknowledged is told again (its farewell, a gap); a new face would need the camera.
    assert faces_appeared(subscriber) == appeared
    subscriber.answer("pause", '{"paused":false}')
    subscriber.wait_for(lambda heard: faces_appeared(heard) > appeared, "a face again")
    assert again.stop() == 0


def test_changed_threshold_is_in_force_at_once_outlives_the_daemon_and_leaves_config_yaml_alone(
    daemon: Daemon, subscriber: Subscriber, start: Start, settings: dict[str, Any]
) -> None:
    before = daemon.config.read_bytes()
    assert {event["emotion"] for event in subscriber.of("event")} == {None}
    answer = subscriber.answer("settings", '{"decide":{"enter":0.4}}')
    assert answer["data"]["settings"]["decide"]["enter"] == {"value": 0.4, "from": "override"}
    subscriber.wait_for(lambda heard: any(event["emotion"] for event in heard.of("event")), "an emotion")
    assert subscriber.of("settings")[-1]["settings"]["decide"] == answer["data"]["settings"]["decide"]
    assert daemon.stop() == 0
    told = len(subscriber.of("settings"))
    start(settings)
    subscriber.wait_for(lambda heard: len(heard.of("settings")) > told, "the settings of the next run")
    decide = subscriber.of("settings")[-1]["settings"]["decide"]
    assert decide["enter"] == {"value": 0.4, "from": "override"}
    assert decide["leave"] == {"value": 0.35, "from": "file"}
    assert decide["dwell_s"]["from"] == "default"
    taken_back = subscriber.answer("settings", '{"decide":{"enter":null}}')
    assert taken_back["data"]["settings"]["decide"]["enter"] == {"value": 1.0, "from": "file"}
    assert daemon.config.read_bytes() == before


def test_mistakes_are_all_named_and_change_nothing(daemon: Daemon, subscriber: Subscriber) -> None:
    told = len(subscriber.of("settings"))
    answer = subscriber.answer("settings", '{"decide":{"entr":0.4,"leave":7},"camera":{"width":320},"transaction":1}')
    assert (answer["status"], answer["transaction"], answer["data"]) == ("error", 1, None)
    assert answer["mistakes"][:2] == [
        "decide.entr: unknown key, did you mean enter?",
        "decide.leave: must be a number between 0 and 1, got 7",
    ]
    assert answer["mistakes"][2].startswith("camera: cannot be changed at run time")
    assert subscriber.answer("settings")["data"]["settings"]["decide"]["leave"] == {"value": 0.35, "from": "file"}
    assert len(subscriber.of("settings")) == told
    assert not (daemon.state / f"fer_edge-{DEVICE}.json").exists()


def test_reload_over_mqtt_takes_the_file_and_says_what_must_wait(
    daemon: Daemon, subscriber: Subscriber, settings: dict[str, Any]
) -> None:
    daemon.write({**settings, "decide": {"enter": 0.9, "leave": 0.35}, "detect": {"width": 300}})
    answer = subscriber.answer("reload")
    assert answer["data"] == {"taken_over": ["decide.enter"], "need_restart": ["detect.width"]}
    daemon.config.write_text("decide: {entr: 1}")
    answer = subscriber.answer("reload")
    assert answer["status"] == "error"
    assert "config.yaml:1:10: decide.entr: unknown key, did you mean enter?" in answer["mistakes"][0]


def test_snapshot_tells_what_is_seen_now(daemon: Daemon, subscriber: Subscriber) -> None:
    state = subscriber.answer("snapshot-state")["data"]
    assert set(state) == set(subscriber.of("state")[-1])
    assert state["camera"] == "running"


def test_retained_request_is_refused_at_each_connect_and_nothing_is_done(
    broker: Broker, subscriber: Subscriber, start: Start, settings: dict[str, Any]
) -> None:
    subscriber.ask("pause", retain=True)
    start(settings)
    subscriber.wait_for(lambda heard: heard.of("response/pause"), "the refusal")
    (answer,) = subscriber.of("response/pause")
    assert answer["mistakes"][0].startswith("retained requests are not executed")
    subscriber.wait_for(lambda heard: heard.of("event"), "a face")
    assert subscriber.of("settings")[-1]["paused"] is False


def test_flood_of_nonsense_stops_no_frames_and_the_next_request_is_done(daemon: Daemon, subscriber: Subscriber) -> None:
    for number in range(5_000):
        subscriber.ask("settings" if number % 2 else f"verb{number}", '{"decide":' * (number % 7) + "\x00")
    said = len(subscriber.of("health"))
    assert sum(frames_since(subscriber, said)) > 0  # each of them alone would prove the machine's load
    assert subscriber.of("health")[-1]["requests"]["dropped"] > 0
    deadline = time.monotonic() + GIVE_UP_S
    while not any(answer["status"] == "ok" for answer in subscriber.of("response/snapshot-state")):
        assert time.monotonic() < deadline
        subscriber.ask("snapshot-state")  # the flood may still fill the room
        time.sleep(0.2)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def test_retained_request_in_latin_1_ends_neither_the_daemon_nor_its_next_start(
    broker: Broker, subscriber: Subscriber, start: Start, settings: dict[str, Any]
) -> None:
    subscriber.ask("settings", '{"transaction":"caf\xe9"}'.encode("latin-1"), retain=True)
    for count in (1, 2):
        daemon = start(settings)
        subscriber.wait_for(lambda heard, count=count: len(heard.of("response/settings")) == count, "the refusal")
        assert any("not UTF-8 text" in line for line in subscriber.of("response/settings")[-1]["mistakes"])
        assert subscriber.answer("snapshot-state")["status"] == "ok"
        assert daemon.stop() == 0


def test_flood_of_requests_with_900_keys_gets_short_answers_and_stops_no_frames(
    daemon: Daemon, subscriber: Subscriber
) -> None:
    large = json.dumps({f"k{number}": 1 for number in range(900)})
    for _ in range(500):
        subscriber.ask("settings", large)
        subscriber.ask("pause", json.dumps({f"k{number}": 1 for number in range(79)}))
    said = len(subscriber.of("health"))
    assert sum(frames_since(subscriber, said)) > 0
    assert subscriber.of("health")[-1]["requests"]["dropped"] > 0
    answers = subscriber.of("response/settings") + subscriber.of("response/pause")
    assert all(len(json.dumps(answer)) < 2000 for answer in answers)
    assert subscriber.of("response/pause")[0]["mistakes"][10] == "and 69 more"
    assert daemon.stop() == 0


def test_response_topic_of_home_assistant_or_another_device_is_refused_and_named(
    daemon: Daemon, subscriber: Subscriber, broker: Broker
) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    strayed: list[MQTTMessage] = []
    client.on_message = lambda _client, _data, message: strayed.append(message)
    client.connect("127.0.0.1", broker.port)
    client.subscribe([("homeassistant/#", 1), ("fer_edge/hall/#", 1)])
    client.loop_start()
    for number, topic in enumerate((f"homeassistant/device/fer_edge_{DEVICE}/config", "fer_edge/hall/event"), 1):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = topic
        client.publish(f"fer_edge/{DEVICE}/request/snapshot-state", b"{}", 1, False, properties)
        subscriber.wait_for(lambda heard, number=number: len(heard.of("response/snapshot-state")) == number, "refusal")
        assert subscriber.of("response/snapshot-state")[-1]["status"] == "error"
    client.disconnect()
    client.loop_stop()
    assert strayed == []
    daemon.wait_for_log("request snapshot-state: no answer on 'homeassistant/device/")
    assert daemon.stop() == 0


def test_mqtt_5_asker_is_answered_on_its_own_topic_with_its_correlation(daemon: Daemon, broker: Broker) -> None:
    answers: list[MQTTMessage] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _client, _data, message: answers.append(message)
    client.connect("127.0.0.1", broker.port)
    client.subscribe("mine/alone", 1)
    client.loop_start()
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = "mine/alone", b"\x00\x01"
    client.publish(f"fer_edge/{DEVICE}/request/snapshot-state", b"{}", 1, False, properties)
    deadline = time.monotonic() + GIVE_UP_S
    while not answers:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    assert answers[0].properties.CorrelationData == b"\x00\x01"
    assert b'"status":"ok"' in answers[0].payload
