"""The fault matrix: whatever happens to broker, network, disk or daemon, a subscriber who was always there has every
event, or was told which it does not have. The judge is the code of `fer-edge events --audit`.

FER_EDGE_KILLS=100 makes the test of kills as long as docs/reliability.md reports it.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.messages import Clocks
from fer_edge.mqtt.topics import Topics
from tests.mqtt.bad_road import HERE, BadRoad
from tests.mqtt.conftest import an_event, cannot_run
from tests.mqtt.witness import Witness

pytestmark = pytest.mark.system

TOPICS = Topics("fer_edge", "porch")
KILLS = int(os.environ.get("FER_EDGE_KILLS", "12"))
KEEPALIVE_S = 1
ROAD_S = 15.0  # on the bad road
GIVE_UP_S = 60.0
# Everything that is in the broker's memory is in the witness's socket as well: what it has acknowledged has been sent.
BROKER = ("allow_anonymous true", "max_inflight_messages 0", "max_queued_messages 0")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    return Folders(tmp_path / "state", runtime)


@pytest.fixture
def watch() -> Iterator[Callable[..., Witness]]:
    """Return `watch(port, **settings)`: a witness that listens from now on."""
    with ExitStack() as stack:

        def make(port: int, **others: str) -> Witness:
            return stack.enter_context(Witness(MqttSettings(host="127.0.0.1", port=port, **others)))

        yield make


@contextmanager
def talking(device, rate_hz: float = 150.0) -> Iterator[None]:
    """While it lasts the device says something, again and again."""
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(1 / rate_hz):
            device.say(1)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def judge(witness: Witness, device, eventually) -> None:
    """Everything arrives, nothing is missing unannounced, and doubles are doubles."""
    device.settles()
    eventually(lambda: device.made in witness.seqs(), "the last event")
    assert witness.audit().problems() == []


def test_broker_that_is_absent_at_the_start(make_mosquitto, make_device, make_relay, watch, eventually):
    broker = make_mosquitto(*BROKER)
    relay = make_relay(broker.port)
    device = make_device(relay.port)
    device.say(100)
    eventually(lambda: device.state().tried, "an attempt in vain")
    relay.cut()
    broker.start()
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    device.say(100)
    relay.join()
    judge(witness, device, eventually)
    assert (witness.seqs(), witness.gaps()) == (set(range(1, 201)), [])


def test_broker_that_is_killed_and_comes_back_in_the_middle_of_a_stream(
    make_mosquitto, make_device, make_relay, watch, eventually
):
    broker = make_mosquitto(*BROKER)
    broker.start()
    relay = make_relay(broker.port)
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    device = make_device(relay.port)
    with talking(device):
        for _ in range(3):
            time.sleep(0.5)
            witness.away()
            broker.kill()
            relay.cut()
            time.sleep(0.2)
            broker.start()
            witness.is_there(GIVE_UP_S)  # the device comes back to a broker that has its subscriber
            relay.join()
    judge(witness, device, eventually)
    assert witness.gaps() == []


def test_broker_that_hangs_for_longer_than_two_keepalives(mosquitto, make_device, watch, eventually):
    witness = watch(mosquitto.port)
    witness.is_there(GIVE_UP_S)
    device = make_device(mosquitto.port, keepalive_s=KEEPALIVE_S)
    with talking(device, 50.0):
        device.connects()
        mosquitto.signal(signal.SIGSTOP)
        eventually(lambda: not device.state().connected, "the silence is noticed")
        mosquitto.signal(signal.SIGCONT)
        device.connects(2)
    judge(witness, device, eventually)
    assert witness.gaps() == []


def test_broker_that_comes_back_without_its_memory(make_mosquitto, make_device, make_relay, watch, eventually):
    broker = make_mosquitto(*BROKER)
    broker.options += [f"persistence_location {broker.folder}/", "autosave_interval 1"]
    broker.start()
    relay = make_relay(broker.port)
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    device = make_device(relay.port)
    device.link.publish(device.messages.state((), "running"))
    with talking(device):
        time.sleep(0.3)
        witness.away()
        broker.kill()
        relay.cut()
        witness.retained.clear()
        broker.start()
        witness.is_there(GIVE_UP_S)
        relay.join()
    judge(witness, device, eventually)
    assert witness.gaps() == []
    assert witness.retained[TOPICS.availability] == b"online"
    assert b'"camera":"running"' in witness.retained[TOPICS.state]


def test_network_that_breaks_again_and_again(make_mosquitto, make_device, make_relay, watch, eventually):
    broker = make_mosquitto(*BROKER)
    broker.start()
    relay = make_relay(broker.port)
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    device = make_device(relay.port)
    dice = random.Random(6)
    with talking(device, 400.0):
        for _ in range(15):
            time.sleep(dice.uniform(0.0, 0.2))
            relay.cut()
            relay.join()
    judge(witness, device, eventually)
    assert witness.gaps() == []


def test_broker_that_refuses_the_password_until_it_is_put_right(guarded, make_device, watch, eventually, tmp_path):
    broker = guarded()
    password = tmp_path / "password"
    password.write_text("wrong\n")
    witness = watch(broker.port, username="viewer", password_file=_secret(tmp_path))
    witness.is_there(GIVE_UP_S)
    device = make_device(broker.port, username="cam", password_file=str(password))
    device.say(50)
    eventually(lambda: "rejects user 'cam'" in device.state().text, "the refusal")
    password.write_text("secret\n")
    judge(witness, device, eventually)
    assert witness.gaps() == []


def test_broker_that_refuses_events_names_them_when_it_takes_them_again(
    guarded, make_device, watch, eventually, tmp_path
):
    access = f"user cam\ntopic write {TOPICS.base}/#\ntopic deny {TOPICS.event}\nuser viewer\ntopic read #\n"
    broker = guarded(access)
    witness = watch(broker.port, username="viewer", password_file=_secret(tmp_path))
    witness.is_there(GIVE_UP_S)
    device = make_device(broker.port, username="cam", password_file=_secret(tmp_path))
    device.say(20)
    eventually(lambda: device.state().outbox.refused == 20, "twenty refusals")
    (broker.folder / "acl").write_text(access.replace("topic deny", "topic write"))
    broker.signal(signal.SIGHUP)
    time.sleep(0.3)  # mosquitto reads it in its next round, and does not say when
    device.say(20)
    judge(witness, device, eventually)
    (gap,) = witness.gaps()
    assert (gap["reason"], gap["missing"]["from"], gap["missing"]["to"]) == ("refused", 1, 20)


def test_outage_that_is_longer_than_the_queue(make_mosquitto, make_device, make_relay, watch, eventually, folders):
    broker = make_mosquitto(*BROKER)
    broker.start()
    relay = make_relay(broker.port)
    relay.cut()
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    device = make_device(relay.port, queue=100, folders=folders)
    device.say(1000)
    eventually(lambda: device.state().outbox.stored, "some are on disk")
    device.say(1000)
    relay.join()
    judge(witness, device, eventually)
    assert sum(one["missing"]["to"] - one["missing"]["from"] + 1 for one in witness.gaps()) == 1900
    assert {one["reason"] for one in witness.gaps()} == {"queue_full"}


def test_clock_that_steps_by_weeks_in_an_outage_and_over_a_restart(
    make_mosquitto, watch, eventually, folders, settings_for
):
    broker = make_mosquitto(*BROKER)
    settings = settings_for(broker.port, event_expiry_s=3600)
    wall = [time.time() - 40 * 86400.0]  # a Raspberry Pi boots with the time of its last stop, and is not synchronised
    first = Delivery(settings, TOPICS, "0", Clocks(lambda: wall[0], time.monotonic, lambda: False), lambda: 0.5,
                     folders=folders)  # fmt: skip
    first.start()
    _say(first, 30)
    wall[0] += 80 * 86400.0
    _say(first, 30)
    wall[0] -= 40 * 86400.0
    first.stop(0.3)
    broker.start()
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    second = Delivery(settings, TOPICS, "0", Clocks(time.time, time.monotonic, lambda: True), lambda: 0.5,
                      folders=folders)  # fmt: skip
    second.start()
    _say(second, 5)
    eventually(lambda: len(witness.events) >= 65, "all events")
    second.stop(3.0)
    assert witness.audit().problems() == []
    assert witness.gaps() == []
    uptimes = [event["uptime_s"] for event in witness.events[:60]]
    assert uptimes == sorted(uptimes)


@pytest.mark.parametrize("options", ["size=400k", "size=4m,ro"], ids=["full", "read-only"])
def test_disk_that_cannot_be_written(
    options, small_disk, make_mosquitto, make_device, make_relay, watch, eventually, caplog, tmp_path
):
    broker = make_mosquitto(*BROKER)
    broker.start()
    relay = make_relay(broker.port)
    relay.cut()
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    device = make_device(relay.port, folders=Folders(small_disk(options), None))
    for _ in range(40):
        device.say(50)
        time.sleep(0.02)
    eventually(lambda: "memory only" in device.state().outbox.store, "the broken disk is told")
    relay.join()
    judge(witness, device, eventually)
    assert (len(witness.seqs()), witness.gaps()) == (2000, [])
    assert "events wait in memory only" in caplog.text


def test_store_that_is_damaged_between_two_boots(make_mosquitto, make_device, make_relay, watch, eventually, folders):
    broker = make_mosquitto(*BROKER)
    broker.start()
    relay = make_relay(broker.port)
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    first = make_device(relay.port, folders=folders)
    first.say(20)
    first.settles()
    relay.cut()
    first.say(200)
    first.delivery.stop(0.3)
    store = folders.state / "fer_edge-porch.db"
    data = bytearray(store.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    store.write_bytes(data)
    relay.join()
    second = make_device(relay.port, folders=folders)
    second.say(20)
    judge(witness, second, eventually)
    (gap,) = witness.gaps()
    assert (gap["reason"], gap["missing"]["boot"]) == ("corrupt", None)


@pytest.fixture
def talker(folders: Folders) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return `talker(port, durability, rate_hz, host, before)`: a daemon without a camera, killed at the end.

    ``before`` stands before its command.
    """
    script = Path(__file__).parent / "talker.py"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with ExitStack() as stack:

        def start(
            port: int, durability: str, rate_hz: int, host: str = "127.0.0.1", before: Sequence[str] = ()
        ) -> subprocess.Popen[bytes]:
            told = (host, str(port), folders.state, folders.runtime, durability, str(rate_hz))
            daemon = subprocess.Popen([*before, sys.executable, script, *told], env=environment, stdout=subprocess.PIPE)
            stack.enter_context(daemon.stdout)
            stack.callback(daemon.wait)
            stack.callback(daemon.kill)
            return daemon

        yield start


@pytest.mark.parametrize("durability", ["default", "strict", "memory"])
def test_daemon_that_is_killed_at_any_moment(
    durability, make_mosquitto, make_relay, watch, eventually, folders, talker, report
):
    broker = make_mosquitto(*BROKER)
    broker.start()
    relay = make_relay(broker.port)
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    dice = random.Random(2026)
    for number in range(KILLS):
        heard = len(witness.events)
        daemon = talker(relay.port, durability, 200)
        if number % 5:  # the others are killed while they start
            daemon.stdout.readline()
        if number % 5 > 1:  # the one before while it connects
            eventually(lambda heard=heard: len(witness.events) > heard, "events")
        time.sleep(dice.uniform(0.0, 0.7))
        if cut := number % 3 == 1:  # so that some die with a backlog
            relay.cut()
            time.sleep(dice.uniform(0.0, 3.0))
        daemon.kill()
        daemon.wait()
        if cut:
            relay.join()
    witness.retained.clear()
    last = talker(relay.port, durability, 200)
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"online", "the last boot")
    time.sleep(1.0)
    last.terminate()
    assert last.wait(GIVE_UP_S) == 0
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"offline", "the end")
    reports = witness.audit().reports()
    received, doubles, lost = (
        sum(getattr(one, what) for one in reports) for what in ("received", "doubles", "announced")
    )
    report(
        f"{durability}: {KILLS} kills, {len(reports)} boots heard of, {received} events, {doubles} doubles of the same "
        f"id, {lost} numbers named as lost"
    )
    assert witness.audit().problems() == []
    if durability != "memory":  # whose notes hold the last farewells only, and all of a longer outage is lost with it
        assert [one.boot for one in reports if one.open_faces] == []
    assert len(reports) > KILLS // 2
    assert list(folders.runtime.iterdir()) == []


def test_daemon_that_sleeps_for_longer_than_two_keepalives(make_mosquitto, watch, eventually, talker):
    broker = make_mosquitto(*BROKER)
    broker.start()
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    daemon = talker(broker.port, "default", 100)
    eventually(lambda: len(witness.events) > 20, "some events")
    daemon.send_signal(signal.SIGSTOP)
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"offline", "the last will")
    daemon.send_signal(signal.SIGCONT)
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"online", "the way back")
    daemon.terminate()
    assert daemon.wait(GIVE_UP_S) == 0
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"offline", "the end")
    assert witness.audit().problems() == []
    assert witness.gaps() == []


@pytest.fixture
def bad_road() -> Iterator[BadRoad]:
    """200 ms there and back, a fifth of the packets lost in either direction."""
    with ExitStack() as stack:
        try:
            road = stack.enter_context(BadRoad(delay_s=0.1, loss=0.2, seed=6))
        except (OSError, subprocess.CalledProcessError) as error:
            cannot_run(f"this machine allows no network namespace with TUN devices (root, ip, /dev/net/tun): {error}")
        yield road


def test_network_that_takes_200_ms_and_loses_a_fifth_of_the_packets(
    bad_road, make_mosquitto, watch, eventually, talker, report
):
    broker = make_mosquitto(*BROKER)
    broker.options.append(f"listener {broker.port} {HERE}")
    broker.start()
    witness = watch(broker.port)
    witness.is_there(GIVE_UP_S)
    daemon = talker(broker.port, "default", 20, HERE, ("ip", "netns", "exec", bad_road.namespace))
    time.sleep(ROAD_S)
    daemon.terminate()
    daemon.wait(GIVE_UP_S)
    # What the farewell did not get through waits on disk; the next daemon, on a good road, brings it.
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"offline", "the end, or the last will")
    last = talker(broker.port, "default", 20)
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"online", "the next boot")
    time.sleep(1.0)
    last.terminate()
    assert last.wait(GIVE_UP_S) == 0
    eventually(lambda: witness.retained.get(TOPICS.availability) == b"offline", "the end")
    report(f"bad road: {bad_road.carried} packets carried, {bad_road.lost} lost, {len(witness.events)} events received")
    assert bad_road.lost > 10
    assert len(witness.events) > 100
    assert witness.audit().problems() == []
    assert witness.gaps() == []


@pytest.fixture
def report(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return `report(line)`: prints it on the terminal, whether the test passes or not."""
    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        with capsys.disabled():
            terminal.write_line(f"\n{line}")

    return say


def _say(delivery: Delivery, count: int) -> None:
    for face in range(count):
        delivery.event(an_event(at=time.monotonic(), face=face))


def _secret(folder: Path) -> str:
    path = folder / "secret"
    path.write_text("secret\n")
    return str(path)
