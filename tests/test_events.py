"""`fer-edge events` on recorded files, and against a real broker."""

import json
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console

from fer_edge.config import MqttSettings
from fer_edge.demo.broker import loopback_broker
from fer_edge.errors import UserError
from fer_edge.events import Wish, follow, read_recorded

EVENT = {
    "schema": 1, "id": "b00t-1", "event_type": "face_appeared", "time": "2026-11-21T16:12:48.005Z", "clock": "synced",
    "uptime_s": 1.0, "device": "porch", "face": 1, "emotion": "happy", "confidence": 0.93, "previous": None,
    "scores": {}, "box": [0, 0, 1, 1], "duration_s": None, "reason": None, "missing": None, "model": "0",
    "replayed": False,
}  # fmt: skip


def recorded(folder: Path, *seqs: int) -> Path:
    path = folder / "events.jsonl"
    events = [{**EVENT, "id": f"b00t-{seq}", "face": seq} for seq in seqs]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def read(path: Path, **wish: bool) -> tuple[int, str]:
    console = Console(file=StringIO(), width=200)
    code = read_recorded([path], Wish(**wish), console)
    return code, console.file.getvalue()


def test_recorded_events_are_shown_as_lines_for_people(tmp_path):
    code, text = read(recorded(tmp_path, 1, 2))
    assert code == 0
    assert [line.split("event", 1)[1].split() for line in text.splitlines()] == [
        ["face", str(face), "appeared,", "happy", "93", "%"] for face in (1, 2)
    ]


def test_audit_of_a_whole_recording_ends_well_and_of_one_with_a_hole_with_1(tmp_path):
    code, text = read(recorded(tmp_path, 1, 2, 3), audit=True)
    assert (code, "nothing is missing" in text) == (0, True)
    code, text = read(recorded(tmp_path, 1, 3), audit=True)
    assert (code, "event 2 never came" in text, "FAILED: 1 problems" in text) == (1, True, True)
    assert read(recorded(tmp_path, 2, 3), audit=True)[0] == 0
    assert read(recorded(tmp_path, 2, 3), audit=True, from_start=True)[0] == 1


def test_audit_of_nothing_proves_nothing(tmp_path):
    assert read(recorded(tmp_path), audit=True) == (1, "FAILED: no event came, so nothing is proven\n")


def test_line_that_is_no_event_is_named(tmp_path):
    path = recorded(tmp_path, 1)
    path.write_text(path.read_text() + "online\n\n[1]\n")
    code, text = read(path, audit=True)
    assert code == 1
    assert f"{path}:2: not a JSON object with an id" in text
    assert f"{path}:4: " in text


def test_file_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match="cannot read /nowhere/events"):
        read(Path("/nowhere/events.jsonl"))


@pytest.mark.system
def test_command_records_what_it_can_judge_afterwards(tmp_path):
    command = [Path(sys.executable).parent / "fer-edge", "events"]
    with loopback_broker() as broker:
        config = tmp_path / "config.yaml"
        config.write_text(f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n")
        listen = [*command, "--config", config, "--device", "porch", "--json", "--count", "3"]
        with subprocess.Popen(listen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listener:
            assert "listening to fer_edge/porch/event" in listener.stderr.readline()
            publish(broker.port, 1, 2, 4)
            output, _ = listener.communicate(timeout=20)
    assert listener.returncode == 0
    record = tmp_path / "record.jsonl"
    record.write_text(output)
    assert [json.loads(line)["id"] for line in output.splitlines()] == ["b00t-1", "b00t-2", "b00t-4"]
    judged = subprocess.run([*command, "--audit", record], capture_output=True, text=True, check=False)
    assert (judged.returncode, "event 3 never came" in judged.stdout) == (1, True)


@pytest.mark.system
def test_live_audit_ends_with_its_verdict_after_the_time_or_count_asked_for():
    console, complaints = Console(file=StringIO(), width=200), Console(file=StringIO(), width=200)
    with loopback_broker() as broker:
        settings = MqttSettings(host="127.0.0.1", port=broker.port)
        timer = threading.Timer(0.5, publish, (broker.port, 1, 2))
        timer.start()
        code = follow(settings, "+", Wish(audit=True, count=2), console, complaints)
        timer.join()
        assert (code, "events 1 to 2, 2 received" in console.file.getvalue()) == (0, True)
        assert follow(settings, "porch", Wish(audit=True, for_s=0.3), console, complaints) == 1  # nothing came


def test_absent_broker_is_one_line():
    console = Console(file=StringIO())
    with pytest.raises(UserError, match="is the broker running"):
        follow(MqttSettings(host="127.0.0.1", port=1), "porch", Wish(), console, console)


def publish(port: int, *seqs: int) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for seq in seqs:
        payload = json.dumps({**EVENT, "id": f"b00t-{seq}", "face": seq})
        client.publish("fer_edge/porch/event", payload, qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
