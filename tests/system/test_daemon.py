"""`fer-edge run` as a subscriber and an administrator see it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.demo.broker import Broker
from tests.system.harness import DEVICE, Daemon, Subscriber
from tests.system.machine import cannot_run

pytestmark = pytest.mark.system

Start = Callable[[dict[str, Any]], Daemon]


# A processor of 84 degrees, in a view of the file system that only the daemon has.
HOT = """
mount -t tmpfs none /sys/class/thermal && mkdir /sys/class/thermal/thermal_zone0 &&
echo 84000 > /sys/class/thermal/thermal_zone0/temp && exec "$@"
"""


def settings(port: int, clip: Path, **more: Any) -> dict[str, Any]:
    return {
        "device": DEVICE,
        "camera": {"source": str(clip), "loop": True},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "publish": {"health_s": 1},
        **more,
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "fer-edge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_smile_in_a_clip_is_told_from_arrival_to_the_end_and_the_daemon_ends_with_the_file(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    clip = data / "videos" / "single_face.mp4"
    daemon = start(settings(broker.port, clip, camera={"source": str(clip)}))
    subscriber.wait_for(lambda heard: heard.of("availability")[-1:] == ["offline"], "the end")
    assert daemon.process.wait(10) == 0, daemon.log()
    events = subscriber.of("event")
    assert [event["event_type"] for event in events[:1] + events[-1:]] == ["face_appeared", "face_gone"]
    assert events[-1]["reason"] == "stopped"
    assert "happy" in {event["emotion"] for event in events}
    assert len({event["face"] for event in events}) == 1
    assert [int(event["id"].partition("-")[2]) for event in events] == list(range(1, len(events) + 1))
    assert subscriber.of("availability") == ["online", "offline"]
    assert subscriber.of("state")[-1]["faces"] == []
    (info,) = subscriber.of("info")
    assert all(event["model"] == info["model"]["sha256"][:8] for event in events)


def test_hot_device_looks_at_fewer_frames_says_so_and_still_tells_of_the_face(
    broker: Broker, subscriber: Subscriber, start: Callable[..., Daemon], data: Path
) -> None:
    if os.geteuid() != 0 or not Path("/sys/class/thermal").is_dir():
        cannot_run("a processor that seems hot takes root, and a kernel with /sys/class/thermal")
    clip = data / "videos" / "single_face.mp4"
    daemon = start(settings(broker.port, clip), ("unshare", "--mount", "sh", "-c", HOT, "sh"))
    daemon.wait_for_log("CPU temperature 84 °C: skipping up to 1 of 2 frames")
    subscriber.wait_for(lambda heard: len(heard.of("health")) >= 3, "three times health")
    health = subscriber.of("health")[2]
    assert health["soc_temperature_c"] == 84.0
    assert health["skipped"] == pytest.approx(health["frames"], rel=0.3)  # every second one, but for what was dropped
    subscriber.wait_for(lambda heard: heard.of("event"), "an event")
    assert subscriber.of("event")[0]["event_type"] == "face_appeared"


def test_clip_without_a_face_gives_no_event(broker: Broker, subscriber: Subscriber, start: Start, data: Path) -> None:
    clip = data / "videos" / "no_face.mp4"
    start(settings(broker.port, clip, camera={"source": str(clip)}))
    subscriber.wait_for(lambda heard: heard.of("availability")[-1:] == ["offline"], "the end")
    assert subscriber.of("event") == []


def test_termination_says_farewell_for_every_face_then_offline(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    daemon = start(settings(broker.port, data / "videos" / "single_face.mp4"))
    subscriber.wait_for(lambda heard: heard.of("event"), "an event")
    assert daemon.stop() == 0
    subscriber.wait_for(lambda heard: heard.of("availability")[-1:] == ["offline"], "offline")
    last = subscriber.of("event")[-1]
    assert (last["event_type"], last["reason"]) == ("face_gone", "stopped")
    assert "Traceback" not in daemon.log()


def test_health_accounts_for_every_face_and_frame(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    start(settings(broker.port, data / "videos" / "single_face.mp4"))
    subscriber.wait_for(lambda heard: any(health["faces_seen"] for health in heard.of("health")), "faces in health")
    for health in subscriber.of("health"):
        assert sum(health["faces"].values()) == health["faces_seen"]
        assert health["camera"]["state"] in ("opening", "running")
        assert health["rss_mib"] > 0


def test_reload_takes_over_thresholds_names_what_must_wait_and_survives_mistakes(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    clip = data / "videos" / "single_face.mp4"
    daemon = start(settings(broker.port, clip, decide={"enter": 1.0, "leave": 1.0}))
    subscriber.wait_for(lambda heard: heard.of("event"), "an arrival")
    daemon.write(settings(broker.port, clip, decide={"enter": 7, "leaf": 0.1}))
    daemon.reload()
    daemon.wait_for_log("the old settings stay in force")
    assert "config.yaml:" in daemon.log()
    assert "did you mean leave?" in daemon.log()
    assert {event["emotion"] for event in subscriber.of("event")} == {None}
    daemon.write(settings(broker.port, clip, decide={"enter": 0.4, "leave": 0.3}, detect={"width": 300}))
    daemon.reload()
    daemon.wait_for_log("settings reloaded: decide.enter, decide.leave")
    daemon.wait_for_log("these changes need a restart: detect.width")
    subscriber.wait_for(lambda heard: any(event["emotion"] for event in heard.of("event")), "an emotion")


POISON = (
    b"camera: {loop: !!bool x}",
    b'camera: {width: !!int ""}',
    b"device: !!timestamp x",
    b'classify: {model: "a\\0b"}',
    b'device: "\\ud800"',
    b"mqtt: {port: " + b"9" * 5000 + b"}",
    b"[" * 5000,
    b"device: caf\xe9",
    b"#" * 200_000,
    b"camera: &a {<<: *a}",
)


def test_running_daemon_outlives_a_reload_of_anything_and_warns_once_of_what_has_no_effect(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    clip = data / "videos" / "single_face.mp4"
    mqtt = {"host": "127.0.0.1", "port": broker.port, "websocket_path": "/ws"}
    daemon = start(settings(broker.port, clip, mqtt=mqtt))
    subscriber.wait_for(lambda heard: heard.of("event"), "an arrival")
    for number, content in enumerate(POISON, 1):
        daemon.config.write_bytes(content)
        answer = subscriber.answer("reload")
        assert (answer["status"], len(answer["mistakes"])) == ("error", 1), content[:40]
        assert answer["mistakes"][0].startswith(f"{daemon.config}:"), answer
        daemon.reload()
        daemon.wait_for_log("the old settings stay in force", number)
    daemon.config.unlink()
    os.mkfifo(daemon.config)
    assert "not a regular file" in subscriber.answer("reload")["mistakes"][0]
    daemon.config.unlink()
    daemon.write(settings(broker.port, clip, mqtt=mqtt, decide={"enter": 0.9}))
    assert subscriber.answer("reload")["data"]["taken_over"] == ["decide.enter"]
    assert daemon.log().count("mqtt.websocket_path: has no effect where mqtt.transport is tcp") == 1
    assert daemon.stop() == 0


def test_events_made_before_the_broker_was_there_arrive_when_it_is(start: Start, data: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = start(settings(port, data / "videos" / "single_face.mp4"))
    daemon.wait_for_log("retrying")
    daemon.wait_for_log("running")
    (tmp_path / "m.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(tmp_path / "m.conf")], stderr=subprocess.DEVNULL) as late:
        try:
            daemon.wait_for_log("connected to")
            subscriber = Subscriber(port)
            subscriber.wait_for(lambda heard: heard.of("state"), "a state")
            assert subscriber.of("availability") == ["online"]
            subscriber.close()
            assert daemon.stop() == 0
        finally:
            late.terminate()


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"camera": {"source": "/nowhere/film.mp4"}}, 1, "film.mp4"),
        ({"classify": {"model": "/nowhere/net.tflite"}}, 1, "no such model file"),
        ({"mqtt": {"username": "u", "password_file": "/nowhere/password"}}, 78, "mqtt.password_file"),
        ({"mqtt": {"tls": {"enabled": True, "ca": "/nowhere/ca.pem"}}}, 78, "mqtt.tls.ca"),
        ({"camera": {"sauce": 0}}, 78, "did you mean source?"),
        ({"detect": {"backend": "yunet", "model": "/nowhere/yunet.onnx"}}, 1, "yunet.onnx"),
    ],
)
def test_what_cannot_work_is_one_line_and_the_right_exit_code(
    start: Start, data: Path, more: dict[str, Any], code: int, words: str
) -> None:
    daemon = start(settings(1, data / "videos" / "single_face.mp4", **more))
    assert daemon.process.wait(60) == code
    complaints = [line for line in daemon.log().splitlines() if "WARNING" not in line and "INFO" not in line]
    assert len(complaints) == 1, daemon.log()
    assert words in complaints[0]


def test_check_names_every_part_with_ok_or_what_to_do(broker: Broker, tmp_path: Path, data: Path) -> None:
    config = tmp_path / "config.yaml"
    clip = data / "videos" / "single_face.mp4"
    config.write_text(f"camera: {{source: {clip}}}\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\n")
    result = run("check", "--config", str(config))
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["ok", part] for part in ("settings", "model", "camera", "broker")
    ]
    config.write_text("camera: {source: /nowhere/film.mp4}\nmqtt: {host: 127.0.0.1, port: 1}\n")
    result = run("check", "--config", str(config))
    assert result.returncode == 1
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["ok", "settings"],
        ["ok", "model"],
        ["failed", "camera"],
        ["failed", "broker"],
    ]


def test_demo_shows_events_and_ends_by_itself_with_none_missing(broker: Broker) -> None:
    result = run("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "appeared" in result.stdout
    assert "happy" in result.stdout
    assert "nothing lost unannounced" in result.stdout
    assert result.stderr == ""
