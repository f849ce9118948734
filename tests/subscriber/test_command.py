"""`fer-edge events` on recorded files, and against a real broker."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console

from fer_edge.config.model import MqttSettings
from fer_edge.demo.broker import loopback_broker
from fer_edge.errors import UserError
from fer_edge.subscriber.audit import Audit
from fer_edge.subscriber.client import ReceivedMessage
from fer_edge.subscriber.command import EventsOptions, Printer, follow, read_recorded, take, verdict

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


def read(path: Path, device: str | None = None, **wish: bool | int) -> tuple[int, str]:
    console = Console(file=StringIO(), width=200)
    code = read_recorded([path], device, EventsOptions(**wish), console)
    return code, console.file.getvalue()


def written(folder: Path, *lines: object) -> Path:
    path = folder / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_recorded_events_are_shown_as_lines_for_people(tmp_path):
    code, text = read(recorded(tmp_path, 1, 2))
    assert code == 0
    assert [line.split("event", 1)[1].split() for line in text.splitlines()] == [
        ["face", str(face), "appeared,", "happy", "93%"] for face in (1, 2)
    ]


def test_audit_of_a_whole_recording_ends_well_and_of_one_with_a_hole_with_1(tmp_path):
    code, text = read(recorded(tmp_path, 1, 2, 3), audit=True)
    assert (code, "nothing lost" in text) == (0, True)
    code, text = read(recorded(tmp_path, 1, 3), audit=True)
    assert (code, "event 2 never arrived" in text, "FAILED: 1 problems" in text) == (1, True, True)
    assert read(recorded(tmp_path, 2, 3), audit=True)[0] == 0
    assert read(recorded(tmp_path, 2, 3), audit=True, from_start=True)[0] == 1


def test_audit_of_nothing_proves_nothing(tmp_path):
    assert read(recorded(tmp_path), audit=True) == (1, "FAILED: no events received\n")


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


OWN_LINES = (
    {"topic": "availability", "payload": "online"},
    EVENT,
    {"topic": "state", "payload": {"device": "porch", "camera": "running", "faces": []}},
    {"topic": "health", "device": "attic", "payload": "as it came"},
)


def test_record_of_everything_is_judged_by_its_events_and_shown_whole(tmp_path):
    path = written(tmp_path, *OWN_LINES)
    code, text = read(path, audit=True)
    assert (code, "1 received" in text, "ok: 1 messages" in text) == (0, True, True)
    code, text = read(path, everything=True)
    assert code == 0
    positions = [text.index(f"  {kind}  ") for kind in ("availability", "event", "state", "health")]
    assert positions == sorted(positions)
    assert "no faces" in text


def test_record_read_as_json_can_be_read_again(tmp_path):
    _, text = read(written(tmp_path, *OWN_LINES), as_json=True)
    again = tmp_path / "again.jsonl"
    again.write_text(text)
    assert read(again, as_json=True) == (0, text)


def test_file_that_is_no_recording_is_one_problem_however_long_it_is(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 20_000)
    for audit in (True, False):
        code, text = read(path, audit=audit)
        assert (code, text.count("problem: ")) == (1, 1)
        assert f"problem: {path}: not a recording of events" in text
    path.write_bytes(b"[" * 3_000_000 + b"\n")  # deeper than anybody reads, longer than a line may be
    assert read(path)[1].count("problem: ") == 1


def test_events_of_a_video_are_shown_by_their_time_in_it_and_not_judged(tmp_path):
    event = {key: EVENT[key] for key in ("schema", "event_type", "face", "emotion", "confidence", "previous")}
    path = written(tmp_path, *({**event, "seq": seq, "at_s": 3600.0 + seq / 8} for seq in (1, 2)))
    code, text = read(path)
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["01:00:00.125", "01:00:00.250"]
    assert "face 1 appeared, happy 93%" in text
    code, text = read(path, audit=True)
    assert (code, text.count("problem: ")) == (1, 1)
    assert f"{path}: events of `fer-edge video` were never published" in text


def test_device_and_count_choose_among_recorded_events(tmp_path):
    path = written(tmp_path, *({**EVENT, "device": name} for name in ("porch", "attic", "porch", "attic")))
    assert read(path, "attic")[1].count("appeared") == 2
    assert read(path, "attic", count=1)[1].count("appeared") == 1
    assert [line.split()[2] for line in read(path, "+", count=3)[1].splitlines()] == ["porch", "attic", "porch"]
    assert "porch" not in read(path, "attic", audit=True)[1]


def test_words_of_others_are_neither_markup_nor_emoji_nor_orders_to_the_terminal(tmp_path):
    strange = {**EVENT, "event_type": "x:100:[bold]y[/z]\x1b[2J", "device": "[red]:100:"}
    _, text = read(written(tmp_path, strange))
    assert r"face 1 x:100:[bold]y[/z]\x1b[2J" in text
    assert "[red]:100: b00t: events 1 to 1" in read(written(tmp_path, strange), audit=True)[1]
    code, text = read(written(tmp_path, {"id": "[/x]"}))
    assert (code, "{'id': '[/x]'}" in text) == (1, True)


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "b00t-1", "device": "caf\xe9"}',  # Latin-1
        b'{"id": "b00t-1", "device": "\\ud800"}',
        b'{"id": "b00t-1", "device": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"id": "b00t-1", "face": ' + b"9" * 5000 + b"}",
    ],
)
def test_line_that_no_decoder_takes_is_named_and_the_rest_is_judged(tmp_path, line):
    path = recorded(tmp_path, 1, 2)
    path.write_bytes(path.read_bytes() + line + b"\n")
    for audit in (True, False):
        code, text = read(path, audit=audit)
        assert (code, f"problem: {path}:3: not a JSON object with an id" in text) == (1, True)


@pytest.mark.parametrize(
    "strange",
    [
        {"confidence": 10**400},
        {"confidence": "x" * 1000},
        {"confidence": [0.5]},
        {"event_type": "face_gone", "duration_s": "x"},
        {"time": [1]},
        {"event_type": "gap", "missing": []},
    ],
)
def test_value_of_another_kind_is_shown_as_it_came(tmp_path, strange):
    _, text = read(written(tmp_path, {**EVENT, **strange}))
    assert "'id': 'b00t-1'" in text or "appeared" in text
    assert len(text) < 3000


def test_json_is_printable_whatever_is_in_it_and_means_the_same(tmp_path):
    strange = {**EVENT, "device": "\x9b2J\x7f\u202e\x1b"}
    _, text = read(written(tmp_path, strange), as_json=True)
    assert text.removesuffix("\n").isprintable()
    assert json.loads(text) == strange


def test_live_message_of_any_bytes_on_any_topic_is_shown_or_judged(tmp_path):
    console = Console(file=StringIO(), width=200)
    for as_json in (True, False):
        audit, printer = Audit(), Printer(console, as_json=as_json)
        for topic in ("fer_edge/porch/event", "fer_edge/porch/state", "x", "/"):
            for payload in (b"\xe9", b'{"id":"\xe9"}', b"[" * 5000, b"{}", b'{"at_s":"x","time":7}', b"\x1b[2J"):
                take(ReceivedMessage(topic, payload, retain=False, expiry_s=None), audit, printer, all_devices=True)
        assert len(audit.problems()) == 6
    assert "\x1b" not in console.file.getvalue()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*EVENT, "from", "to", "boot"]), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from([*EVENT, "at_s", "faces", "camera"]), ANYTHING), max_size=4))
def test_no_event_of_any_shape_ends_what_reads_it(changes):
    console = Console(file=StringIO(), width=200)
    audit, printer = Audit(from_start=True), Printer(console, as_json=False)
    for change in changes:
        payload = json.dumps({**EVENT, **change}).encode()
        for kind in ("event", "state", "health", "info", "gap"):
            take(
                ReceivedMessage(f"fer_edge/porch/{kind}", payload, retain=False, expiry_s=None),
                audit,
                printer,
                all_devices=True,
            )
    verdict(audit, console)


@pytest.mark.system
def test_audit_that_is_ended_by_sigterm_gives_its_verdict(tmp_path):
    with loopback_broker() as broker:
        config = tmp_path / "config.yaml"
        config.write_text(f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n")
        program = Path(sys.executable).parent / "fer-edge"
        command = [program, "events", "--config", config, "--device", "porch", "--audit"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listener:
            assert "subscribed to fer_edge/porch/event" in listener.stderr.readline()
            publish(broker.port, 1, 2)
            assert "face 2 appeared" in listener.stdout.readline() + listener.stdout.readline()
            listener.terminate()
            output, _ = listener.communicate(timeout=20)
    assert (listener.returncode, "ok: 2 messages, nothing lost unannounced" in output) == (0, True)


@pytest.mark.system
def test_command_records_what_it_can_judge_afterwards(tmp_path):
    command = [Path(sys.executable).parent / "fer-edge", "events"]
    with loopback_broker() as broker:
        config = tmp_path / "config.yaml"
        config.write_text(f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n")
        listen = [*command, "--config", config, "--device", "porch", "--json", "--count", "3"]
        with subprocess.Popen(listen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listener:
            assert "subscribed to fer_edge/porch/event" in listener.stderr.readline()
            publish(broker.port, 1, 2, 4)
            output, _ = listener.communicate(timeout=20)
    assert listener.returncode == 0
    record = tmp_path / "record.jsonl"
    record.write_text(output)
    assert [json.loads(line)["id"] for line in output.splitlines()] == ["b00t-1", "b00t-2", "b00t-4"]
    judged = subprocess.run([*command, "--audit", record], capture_output=True, text=True, check=False)
    assert (judged.returncode, "event 3 never arrived" in judged.stdout) == (1, True)


@pytest.mark.system
def test_live_audit_ends_with_its_verdict_after_the_time_or_count_asked_for():
    console, complaints = Console(file=StringIO(), width=200), Console(file=StringIO(), width=200)
    with loopback_broker() as broker:
        settings = MqttSettings(host="127.0.0.1", port=broker.port)
        timer = threading.Timer(0.5, publish, (broker.port, 1, 2))
        timer.start()
        code = follow(settings, "+", EventsOptions(audit=True, count=2), console, complaints)
        timer.join()
        assert (code, "events 1 to 2, 2 received" in console.file.getvalue()) == (0, True)
        assert follow(settings, "porch", EventsOptions(audit=True, for_s=0.3), console, complaints) == 1  # nothing came


def test_absent_broker_is_one_line():
    console = Console(file=StringIO())
    with pytest.raises(UserError, match="is the broker running"):
        follow(MqttSettings(host="127.0.0.1", port=1), "porch", EventsOptions(), console, console)


def publish(port: int, *seqs: int) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for seq in seqs:
        payload = json.dumps({**EVENT, "id": f"b00t-{seq}", "face": seq})
        client.publish("fer_edge/porch/event", payload, qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def test_device_without_an_end_is_refused() -> None:
    with pytest.raises(UserError, match="cannot read /dev/zero: neither a regular file nor a pipe"):
        read(Path("/dev/zero"))


def test_pipe_is_read_up_to_a_line_that_is_too_long(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    line = json.dumps(EVENT).encode()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), pipe.open("wb") as file:
            file.write(line + b"\n")
            while True:
                file.write(bytes(1 << 16))

    writer = threading.Thread(target=write)
    writer.start()
    code, text = read(pipe)
    writer.join()
    assert (code, text.count("appeared")) == (1, 1)
    assert f"{pipe}:2: not a JSON object with an id; the rest is not read" in text
