"""A daemon's delivery and the next one's after it: what survives a stop, a death, a broken disk."""

import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.journal import Batch, Row, Run, checksum, seal_run
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.recovery import read_format_1
from fer_edge.mqtt.spool import DiskCopy
from fer_edge.mqtt.topics import Topics
from fer_edge.types import EventKind
from tests.mqtt.byte_broker import PUBLISH, ByteBroker
from tests.mqtt.conftest import eventually

TOPICS = Topics("fer_edge", "porch")
NOBODY = 1  # a port of loopback where no broker listens


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return Folders(tmp_path / "state", runtime)


@pytest.fixture
def die(folders, tmp_path):
    """Return `die(script)`: runs it with a `delivery` that has the folders and no broker, and kills it."""
    common = """
        import os, random, signal, sys, time
        from pathlib import Path
        sys.path.insert(0, {root!r})
        from fer_edge.config.model import MqttSettings
        from fer_edge.mqtt.delivery import Delivery, Folders
        from fer_edge.mqtt.messages import Clocks
        from fer_edge.mqtt.topics import Topics
        from fer_edge.types import EventKind
        from tests.mqtt.conftest import an_event

        def begin(durability, port=1):
            settings = MqttSettings(host="127.0.0.1", port=port, durability=durability)
            clocks = Clocks(time.time, time.monotonic, lambda: True)
            folders = Folders(Path({state!r}), Path({runtime!r}))
            topics = Topics("fer_edge", "porch")
            delivery = Delivery(settings, topics, "0123456789", clocks, random.random, folders=folders)
            delivery.start()
            return delivery

        def wait(condition):
            while not condition():
                time.sleep(0.01)
    """
    root = str(Path(__file__).parents[2])

    def kill(script: str) -> None:
        head = textwrap.dedent(common).format(root=root, state=str(folders.state), runtime=str(folders.runtime))
        result = subprocess.run(
            [sys.executable, "-c", head + textwrap.dedent(script) + "\nos.kill(os.getpid(), signal.SIGKILL)\n"],
            check=False,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert result.returncode == -signal.SIGKILL, result.stderr

    return kill


def stored(device, count, eventually):
    eventually(lambda: device.state().outbox.stored == count, f"{count} events on disk")


def leave(copy: DiskCopy, count: int, run: Run) -> None:
    """Writes what an earlier run left: so many events, and its record."""
    text = '{"id":"%s-%d","event_type":"face_appeared","time":"2026-11-21T12:00:00.000Z","clock":"unsynced",'
    text += '"uptime_s":1.0,"device":"porch","face":%d,"model":"m"}'
    rows = []
    for seq in range(1, count + 1):
        published = (seq, seq, None, (text % (run.name, seq, seq)).encode(), None, 1)
        rows.append(Row(run.number, *published, 0.0, checksum(run.name, *published)))
    copy.write(Batch(rows, (), [seal_run(run)]))


def content(path: Path) -> tuple[int, int]:
    """Rows and runs of a disk copy."""
    copy = DiskCopy(path)
    saved = copy.open(read_format_1)
    copy.close()
    return len(saved.rows), len(saved.runs)


@pytest.fixture
def earlier(folders):
    """The disk copy of an earlier run, open."""
    copy = DiskCopy(folders.state / "fer_edge-porch.db")
    copy.open(read_format_1)
    yield copy
    copy.close()


def test_nothing_is_written_while_the_broker_acknowledges(mosquitto, listen, make_device, folders):
    device = make_device(mosquitto.port, folders=folders)
    device.connects()
    log = folders.state / "fer_edge-porch.db-wal"
    written = log.stat().st_size
    listener = listen(mosquitto.port)
    device.say(300)
    listener.gets(300)
    device.settles()
    assert device.state().outbox.stored == 0
    assert log.stat().st_size == written
    assert device.delivery.stop(3.0)
    assert [path.suffix for path in folders.state.iterdir()] == [".db"]
    assert list(folders.runtime.iterdir()) == []


def test_what_a_stop_could_not_deliver_is_delivered_by_the_next_boot(
    make_mosquitto, listen, make_device, folders, eventually
):
    broker = make_mosquitto()
    first = make_device(broker.port, folders=folders)
    first.say(120)
    assert not first.delivery.stop(0.5)
    assert list(folders.runtime.iterdir()) == []
    broker.start()
    listener = listen(broker.port)
    second = make_device(broker.port, folders=folders)
    second.say(2)
    second.settles()
    listener.gets(122)
    assert listener.audit().problems() == []
    assert listener.seqs() == [*range(1, 121), 1, 2]
    assert [event.json["replayed"] for event in listener.of(TOPICS.event)][:120] == [True] * 120
    assert second.delivery.stop(3.0)
    assert Folders(folders.state).state.joinpath("fer_edge-porch.db").exists()
    third = make_device(broker.port, folders=folders)
    third.settles()
    assert third.state().outbox.acknowledged == 0


def test_events_of_an_outage_go_to_disk_and_leave_it_when_they_are_acknowledged(
    make_mosquitto, make_device, folders, eventually
):
    broker = make_mosquitto()
    device = make_device(broker.port, folders=folders)
    device.say(120)
    stored(device, 120, eventually)
    broker.start()
    device.settles()
    stored(device, 0, eventually)
    assert device.state().outbox.store.startswith("memory and /")


@pytest.mark.parametrize("durability", ["default", "memory", "strict"])
def test_daemon_that_was_killed_is_finished_by_the_next(die, make_mosquitto, listen, make_device, folders, durability):
    broker = make_mosquitto()
    broker.start()
    listener = listen(broker.port)
    die(
        f"""
        delivery = begin({durability!r}, {broker.port})
        delivery.event(an_event(EventKind.APPEARED, time.monotonic(), face=1))
        delivery.event(an_event(EventKind.APPEARED, time.monotonic(), face=2))
        delivery.event(an_event(EventKind.GONE, time.monotonic(), face=2, reason="left"))
        wait(lambda: delivery.state(0.0).outbox.acknowledged == 3)
        """
    )
    second = make_device(broker.port, folders=folders, durability=durability)
    second.say(1)
    second.settles()
    listener.gets(5)
    events = [event.json for event in listener.of(TOPICS.event)]
    assert listener.audit().problems() == []
    boot = events[0]["id"].partition("-")[0]
    assert events[3]["id"] == f"{boot}-4"
    told = {key: events[3][key] for key in ("event_type", "face", "reason", "replayed")}
    assert told == {"event_type": "face_gone", "face": 1, "reason": "restart", "replayed": True}
    assert second.delivery.stop(3.0)
    assert list(folders.runtime.iterdir()) == []


@pytest.mark.parametrize("durability", ["default", "memory"])
def test_killed_daemon_loses_nothing_of_what_waited(die, mosquitto, listen, make_device, folders, durability):
    listener = listen(mosquitto.port)
    die(
        f"""
        delivery = begin({durability!r})
        for face in range(7):
            delivery.event(an_event(EventKind.CHANGED, time.monotonic(), face=face))
        """
    )
    device = make_device(mosquitto.port, folders=folders, durability=durability)
    device.settles()
    listener.gets(14)
    events = [event.json for event in listener.of(TOPICS.event)]
    assert listener.audit().problems() == []
    assert listener.seqs() == list(range(1, 15))
    assert [(event["event_type"], event["face"]) for event in events[7:]] == [("face_gone", face) for face in range(7)]
    assert events[0]["reason"] is None
    assert device.delivery.stop(3.0)
    assert list(folders.runtime.iterdir()) == []


def test_strict_loses_nothing_to_a_kill_and_knows_the_faces_without_its_notes_in_memory(
    die, mosquitto, listen, make_device, folders
):
    listener = listen(mosquitto.port)
    die(
        """
        delivery = begin("strict")
        for face in range(60):
            delivery.event(an_event(EventKind.APPEARED, time.monotonic(), face=face))
        wait(lambda: delivery.state(0.0).outbox.stored == 60)
        """
    )
    for ledger in folders.runtime.iterdir():  # as when the plug is pulled
        ledger.unlink()
    device = make_device(mosquitto.port, folders=folders, durability="strict")
    device.settles()
    listener.gets(120)
    assert listener.seqs() == list(range(1, 121))
    assert {event.json["event_type"] for event in listener.of(TOPICS.event)[60:]} == {"face_gone"}
    assert listener.audit().problems() == []


def test_plug_that_was_pulled_is_said_where_nobody_can_know_what_was_lost(
    die, mosquitto, listen, make_device, folders, eventually
):
    listener = listen(mosquitto.port)
    die(
        f"""
        delivery = begin("default", {mosquitto.port})
        delivery.event(an_event(EventKind.APPEARED, time.monotonic(), face=1))
        wait(lambda: delivery.state(0.0).outbox.acknowledged == 1)
        """
    )
    for ledger in folders.runtime.iterdir():
        ledger.unlink()
    device = make_device(mosquitto.port, folders=folders)
    device.say(1)
    device.settles()
    listener.gets(3)
    first, gap, _ = [event.json for event in listener.of(TOPICS.event)]
    boot = first["id"].partition("-")[0]
    assert (gap["event_type"], gap["reason"]) == ("gap", "restart")
    assert gap["missing"] == {"boot": boot, "from": 1, "to": None}
    assert not gap["id"].startswith(boot)
    assert listener.audit().problems() == []
    device.delivery.stop(3.0)
    after = make_device(mosquitto.port, folders=folders)
    after.settles()
    assert after.state().outbox.acknowledged == 0  # it is said once


def test_unknown_end_is_named_by_a_later_run_where_the_next_one_did_not_come_to_it(
    die, mosquitto, listen, make_device, folders
):
    die("begin('default')")
    for _ in range(2):
        for journal in folders.runtime.iterdir():
            journal.unlink()
        die("begin('default')")
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, folders=folders)
    device.settles()
    listener.gets(2)
    gaps = [event.json for event in listener.of(TOPICS.event)]
    assert len({gap["missing"]["boot"] for gap in gaps}) == len(gaps) == 2


def test_corrupt_store_is_set_aside_and_said(mosquitto, listen, make_device, folders, caplog):
    listener = listen(mosquitto.port)
    folders.state.mkdir()
    store = folders.state / "fer_edge-porch.db"
    store.write_bytes(b"nonsense" * 1000)
    device = make_device(mosquitto.port, folders=folders)
    device.say(1)
    device.settles()
    listener.gets(2)
    gap, event = [event.json for event in listener.of(TOPICS.event)]
    assert (gap["reason"], gap["missing"]) == ("corrupt", {"boot": None, "from": None, "to": None})
    assert event["event_type"] == "emotion_changed"
    assert store.with_name("fer_edge-porch.db.corrupt").read_bytes().startswith(b"nonsense")
    assert "set aside as" in caplog.text
    assert device.state().outbox.store.startswith("memory and ")


def test_store_that_cannot_be_used_is_said_and_events_still_arrive(mosquitto, listen, make_device, tmp_path, caplog):
    (tmp_path / "file").touch()
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, folders=Folders(tmp_path / "file" / "state"), durability="strict")
    device.say(3)
    device.settles()
    listener.gets(3)
    assert device.state().outbox.store.startswith("events wait in memory only: cannot use")
    assert caplog.text.count("events wait in memory only") == 1


def test_second_daemon_of_the_same_name_leaves_the_first_one_s_notes_alone(
    mosquitto, listen, make_device, folders, an_event
):
    listener = listen(mosquitto.port)
    first = make_device(mosquitto.port, folders=folders)
    first.connects()
    first.delivery.event(an_event(EventKind.APPEARED, time.monotonic(), face=1))
    first.settles()
    second = make_device(NOBODY, folders=folders)
    assert "another daemon uses it" in second.state().outbox.store
    assert second.state().outbox.depth == 0
    assert len(list(folders.runtime.iterdir())) == 2
    listener.gets(1)


def test_event_that_is_damaged_on_disk_is_a_gap_and_the_others_arrive(
    earlier, mosquitto, listen, make_device, folders, caplog
):
    leave(earlier, 3, Run(name="aaaaaaaa", number=1, last=3, exact=True, closed=True))
    earlier.close()
    path = folders.state / "fer_edge-porch.db"
    path.write_bytes(path.read_bytes().replace(b'"id":"aaaaaaaa-2"', b'"id" "aaaaaaaa-2"'))
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, folders=folders)
    device.say(1)
    device.settles()
    listener.gets(4)
    told = [(event.json["id"], event.json["reason"]) for event in listener.of(TOPICS.event)[:3]]
    assert told == [("aaaaaaaa-1", None), ("aaaaaaaa-2", "corrupt"), ("aaaaaaaa-3", None)]
    assert listener.audit().problems() == []
    assert "1 events in the store are damaged" in caplog.text
    assert device.delivery.stop(3.0)
    assert content(path) == (0, 0)


def test_store_that_opens_only_later_is_read_then(earlier, mosquitto, listen, make_device, folders):
    leave(earlier, 3, Run(name="aaaaaaaa", number=7, last=3, exact=True, closed=True))
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, folders=folders, durability="strict")  # which looks again after a second
    device.connects()
    device.say(2)
    device.settles()
    assert "another daemon uses it" in device.state().outbox.store
    earlier.close()
    listener.gets(5)
    assert [event.json["id"] for event in listener.of(TOPICS.event)][2:] == [f"aaaaaaaa-{seq}" for seq in (1, 2, 3)]
    assert [event.json["replayed"] for event in listener.of(TOPICS.event)] == [False, False, True, True, True]
    device.say(1)
    device.settles()
    assert listener.audit().problems() == []
    assert device.delivery.stop(3.0)
    assert content(folders.state / "fer_edge-porch.db") == (0, 0)


def test_boot_whose_end_nobody_knows_is_said_when_its_store_opens_only_later(
    earlier, mosquitto, listen, make_device, folders, eventually
):
    leave(earlier, 2, Run(name="aaaaaaaa", number=7, last=2))
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, folders=folders, durability="strict")
    device.say(1)
    device.settles()
    earlier.close()
    eventually(lambda: device.delivery.check(time.monotonic()) or len(listener.of(TOPICS.event)) == 4, "the past")
    device.settles()
    gap = listener.of(TOPICS.event)[3].json
    assert gap["missing"] == {"boot": "aaaaaaaa", "from": 3, "to": None}
    assert device.delivery.stop(3.0)
    assert content(folders.state / "fer_edge-porch.db") == (0, 0)


def test_store_that_is_found_corrupt_only_later_is_said_too(mosquitto, listen, make_device, folders, eventually):
    path = folders.state / "fer_edge-porch.db"
    path.mkdir(parents=True)  # nothing that can be opened
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, folders=folders, durability="strict")
    device.say(1)
    device.settles()
    path.rmdir()
    path.write_bytes(b"nonsense" * 1000)
    eventually(lambda: device.delivery.check(time.monotonic()) or len(listener.of(TOPICS.event)) == 2, "the gap")
    gap = listener.of(TOPICS.event)[1].json
    assert (gap["reason"], gap["missing"]) == ("corrupt", {"boot": None, "from": None, "to": None})


def test_boot_whose_end_nobody_knows_is_named_however_long_the_broker_is_away(
    earlier, make_mosquitto, listen, make_device, folders
):
    leave(earlier, 0, Run(name="aaaaaaaa", number=1))
    earlier.close()
    broker = make_mosquitto()
    device = make_device(broker.port, folders=folders, queue=10, event_expiry_s=1)
    device.say(30)
    time.sleep(1.1)  # longer than an event lives
    broker.start()
    listener = listen(broker.port)
    device.settles()
    listener.gets(2)
    first, gap = [event.json for event in listener.of(TOPICS.event)][:2]
    assert first["missing"] == {"boot": "aaaaaaaa", "from": 1, "to": None}
    assert listener.of(TOPICS.event)[0].expiry_s is None
    assert (gap["missing"]["from"], gap["missing"]["to"]) in {(2, 21), (2, 31)}  # queue_full; then expired


def test_memory_keeps_what_a_stop_in_order_could_not_deliver_and_writes_nothing(
    mosquitto, listen, make_device, folders
):
    first = make_device(NOBODY, folders=folders, durability="memory")
    first.say(3)
    assert not first.delivery.stop(0.5)
    listener = listen(mosquitto.port)
    second = make_device(mosquitto.port, folders=folders, durability="memory")
    second.settles()
    listener.gets(3)
    assert listener.seqs() == [1, 2, 3]
    assert second.delivery.stop(3.0)
    assert list(folders.runtime.iterdir()) == []
    assert not folders.state.exists()


def test_step_of_a_stop_that_fails_skips_neither_the_link_nor_the_store(folders) -> None:
    class ClockError(Exception):
        pass

    is_broken = False

    def wall() -> float:
        if is_broken:
            raise ClockError
        return time.time()

    with ByteBroker() as broker:
        settings = MqttSettings(host="127.0.0.1", port=broker.port)
        clocks = Clocks(wall, time.monotonic, lambda: True)
        delivery = Delivery(settings, TOPICS, "0123456789", clocks, random.random, folders=folders)
        delivery.start()
        eventually(lambda: delivery.state(time.monotonic()).connected, "it is connected")
        is_broken = True
        with pytest.raises(ClockError):
            delivery.stop(5.0)
        assert any(b"offline" in body for _, _, body in broker.received(PUBLISH))
    assert folders.runtime is not None
    assert not list(folders.runtime.glob("*-wal"))
    assert not delivery.state(time.monotonic()).outbox.depth
