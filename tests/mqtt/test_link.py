"""The link against a real mosquitto: what a subscriber who was always there received."""

import logging
import signal
import subprocess
import sys
import threading
import time

import pytest

from fer_edge.config.model import MqttSettings
from fer_edge.mqtt.journal import Journal, Limits
from fer_edge.mqtt.link import CONNECT_LIMIT_S, Link
from fer_edge.mqtt.outbox import Outbox
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Message

pytestmark = pytest.mark.system

TOPICS = Topics("fer_edge", "porch")


def boot_of(event: dict) -> str:
    """The boot that numbered the event."""
    return event["id"].partition("-")[0]


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    """The log lines of the link that hold ``part``."""
    return [record.message for record in caplog.records if part in record.message]


def test_link_says_online_then_what_is_retained_then_events_in_order(mosquitto, listen, make_device):
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port)
    device.connects()
    device.link.publish(device.messages.state((), "running"))
    device.say(50)
    device.settles()
    listener.gets(50)
    assert listener.availability() == ["online"]
    assert listener.of(TOPICS.state)[0].json["camera"] == "running"
    assert listener.seqs() == list(range(1, 51))
    assert device.state().protocol == "5"
    assert device.state().text == f"connected to 127.0.0.1:{mosquitto.port} (MQTT 5)"
    assert device.state().outbox.acknowledged == 50


def test_live_event_is_not_marked_as_replayed_and_expires(mosquitto, listen, make_device):
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, event_expiry_s=600)
    device.connects()
    device.say(1)
    listener.gets(1)
    event = listener.of(TOPICS.event)[0]
    assert not event.json["replayed"]
    assert 595 <= event.expiry_s <= 600


def test_clean_stop_sends_what_is_left_and_leaves_a_retained_offline(mosquitto, listen, make_device, eventually):
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port)
    device.connects()
    device.say(300)
    assert device.link.stop(3.0)
    eventually(lambda: listener.availability() == ["online", "offline"], "offline")
    assert listener.seqs() == list(range(1, 301))
    assert listener.received[-1].topic == TOPICS.availability
    late = listen(mosquitto.port)
    eventually(lambda: late.of(TOPICS.availability), "the retained offline")
    assert (late.received[0].payload, late.received[0].retain) == (b"offline", True)


def test_last_will_speaks_when_the_daemon_is_killed(mosquitto, listen, tmp_path, eventually):
    listener = listen(mosquitto.port)
    script = tmp_path / "daemon.py"
    script.write_text(
        "import random, sys, time\n"
        "from fer_edge.config.model import MqttSettings\n"
        "from fer_edge.mqtt.journal import Journal, Limits\n"
        "from fer_edge.mqtt.link import Link\n"
        "from fer_edge.mqtt.outbox import Outbox\n"
        "from fer_edge.mqtt.topics import Topics\n"
        "outbox = Outbox(Journal(None), Limits(events=10), lambda *_: None, lambda message: message, 't')\n"
        "settings = MqttSettings(host='127.0.0.1', port=int(sys.argv[1]))\n"
        "Link(settings, Topics('fer_edge', 'porch'), outbox, random.random).start()\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script, str(mosquitto.port)]) as daemon:
        eventually(lambda: listener.availability() == ["online"], "online")
        daemon.send_signal(signal.SIGKILL)
    eventually(lambda: listener.availability() == ["online", "offline"], "the last will")


def test_broker_that_is_absent_at_the_start_is_found_when_it_comes(
    make_mosquitto, listen, make_device, caplog, eventually
):
    caplog.set_level(logging.INFO)
    broker = make_mosquitto()
    device = make_device(broker.port, reconnect_max_s=1.0)
    device.say(5)
    eventually(lambda: "refuses the connection" in device.state().text, "the refused connection is told")
    assert "next attempt in" in device.state().text
    assert not device.state().connected
    time.sleep(0.5)  # several attempts
    assert len(lines(caplog, "is the broker running")) == 1
    broker.start()
    device.settles()
    assert len(lines(caplog, "connected to")) == 1


def test_events_of_an_outage_arrive_in_order_and_none_is_missing(
    mosquitto, listen, make_device, make_relay, eventually
):
    broker, relay = mosquitto, make_relay(mosquitto.port)
    before = listen(broker.port)
    device = make_device(relay.port)
    device.connects()
    device.say(20)
    eventually(lambda: before.seqs() == list(range(1, 21)), "the events before")
    device.settles()  # what is not acknowledged yet would rightly come twice
    before.close()
    broker.kill()  # as kill -9 does
    device.say(200)
    eventually(lambda: not device.state().connected, "the loss is noticed")
    device.say(100)
    relay.cut()
    broker.start()
    after = listen(broker.port)  # is there before the device comes back
    relay.join()
    device.settles()
    after.gets(300)
    assert before.seqs() == list(range(1, 21))
    assert after.seqs() == list(range(21, 321))
    assert all(event.json["replayed"] for event in after.of(TOPICS.event))


def test_cut_in_the_middle_of_a_stream_loses_nothing(mosquitto, listen, make_device, make_relay, eventually):
    listener, relay = listen(mosquitto.port), make_relay(mosquitto.port)
    device = make_device(relay.port)
    device.connects()
    for cut in range(1, 6):
        device.say(200)
        listener.gets(100 * cut)  # so that some are on their way, some wait
        relay.cut()
        relay.join()
    device.settles()
    eventually(lambda: listener.seqs()[-1] == 1000, "the last event")
    came = listener.seqs()
    assert sorted(set(came)) == list(range(1, 1001))
    first_time = list(dict.fromkeys(came))
    assert first_time == list(range(1, 1001))  # doubles come later than the first, and nothing comes early
    assert device.state().outbox.depth == 0


def test_retained_messages_are_back_after_the_broker_came_back_empty(make_mosquitto, listen, make_device, eventually):
    broker = make_mosquitto()
    broker.start()
    device = make_device(broker.port)
    device.connects()
    device.link.publish(device.messages.state((), "running"))
    device.link.publish(device.messages.info({"version": "1"}))
    device.say(1)
    device.settles()
    broker.kill()
    broker.start()
    device.connects(2)
    device.settles()
    late = listen(broker.port)
    eventually(lambda: len(late.received) == 3, "three retained messages")
    retained = {message.topic: message.payload for message in late.received if message.retain}
    assert set(retained) == {TOPICS.availability, TOPICS.info, TOPICS.state}
    assert retained[TOPICS.availability] == b"online"


def test_queue_that_ran_over_is_announced_by_one_gap_in_the_place_of_what_is_missing(
    mosquitto, listen, make_device, make_relay, eventually
):
    relay = make_relay(mosquitto.port)
    relay.cut()
    device = make_device(relay.port, queue=10, event_expiry_s=0)
    device.say(100)
    eventually(lambda: "refuses" in device.state().text, "an attempt")
    listener = listen(mosquitto.port)
    relay.join()
    device.settles()
    listener.gets(11)
    assert listener.seqs() == [90, *range(91, 101)]
    gap = listener.of(TOPICS.event)[0].json
    assert (gap["event_type"], gap["missing"], gap["reason"]) == (
        "gap",
        {"boot": boot_of(gap), "from": 1, "to": 90},
        "queue_full",
    )
    assert device.state().outbox.dropped == 90


def test_half_open_link_is_noticed_and_healed(mosquitto, listen, make_device, caplog, eventually):
    device = make_device(mosquitto.port, keepalive_s=1)
    device.connects()
    mosquitto.signal(signal.SIGSTOP)
    device.say(3)
    eventually(lambda: not device.state().connected, "the silence is noticed")
    assert len(lines(caplog, "does not respond")) == 1
    mosquitto.signal(signal.SIGCONT)
    device.connects(2)
    device.settles()
    assert device.state().outbox.acknowledged == 3


def test_daemons_with_one_client_id_are_told_once_each(mosquitto, listen, make_device, caplog, eventually):
    caplog.set_level(logging.INFO)
    first = make_device(mosquitto.port)
    first.connects()
    second = make_device(mosquitto.port)
    eventually(lambda: first.state().connects + second.state().connects >= 8, "they throw each other out")
    assert len(lines(caplog, "another client uses the client id 'fer_edge-porch'")) == 2
    assert len(lines(caplog, "connected to")) <= 4
    assert second.link.stop(2.0) or first.link.stop(2.0)


def test_wrong_password_is_told_once_and_tried_for_ever(guarded, make_device, caplog, eventually):
    broker = guarded()
    password = broker.folder / "password"
    password.write_text("wrong\n")
    password.chmod(0o600)
    device = make_device(broker.port, username="cam", password_file=str(password))
    eventually(lambda: "rejects user 'cam'" in device.state().text, "the refusal")
    time.sleep(0.6)  # several attempts
    told = lines(caplog, "rejects user 'cam'")
    assert len(told) == 1
    assert "check mqtt.username and the password in mqtt.password_file" in told[0]
    assert "wrong" not in caplog.text
    password.write_text("secret\n")  # corrected without a restart
    device.connects()


def test_refused_topic_is_told_once_and_announced_when_it_is_allowed_again(
    guarded, listen, make_device, caplog, eventually
):
    access = f"user cam\ntopic write {TOPICS.base}/#\ntopic deny {TOPICS.event}\nuser viewer\ntopic read #\n"
    broker = guarded(access)
    listener = listen(broker.port, "viewer", "secret")
    password = broker.folder / "password"
    password.write_text("secret\n")
    device = make_device(broker.port, username="cam", password_file=str(password))
    device.connects()
    device.say(3)
    device.link.publish(device.messages.state((), "running"))
    eventually(lambda: device.state().outbox.refused == 3, "three refusals")
    device.settles()
    device.say(2)
    eventually(lambda: device.state().outbox.refused == 5, "five refusals")
    eventually(lambda: listener.of(TOPICS.state), "the state, which is allowed")
    told = lines(caplog, "rejects messages on fer_edge/porch/event")
    assert len(told) == 1
    assert "access list" in told[0]
    assert listener.seqs() == []
    (broker.folder / "acl").write_text(access.replace("topic deny", "topic write"))
    broker.signal(signal.SIGHUP)
    time.sleep(0.2)  # mosquitto reads it in its next round, and does not say when
    device.say(1)
    device.settles()
    eventually(lambda: listener.seqs() == [5, 6], "the gap, then the next event")
    gap = listener.of(TOPICS.event)[0].json
    assert (gap["event_type"], gap["missing"], gap["reason"]) == (
        "gap",
        {"boot": boot_of(gap), "from": 1, "to": 5},
        "refused",
    )


def test_message_that_is_too_large_for_the_broker_is_told_once_and_the_rest_flows(
    make_mosquitto, listen, make_device, caplog, eventually
):
    broker = make_mosquitto("allow_anonymous true", "max_packet_size 2000")
    broker.start()
    listener = listen(broker.port)
    device = make_device(broker.port)
    device.link.publish(Message("homeassistant/device/porch/config", b"x" * 5000, retain=True))
    device.link.publish(Message(TOPICS.health, b"x" * 5000, qos=0, retain=True))
    device.connects()
    device.link.publish(Message(TOPICS.health, b"x" * 5000, qos=0, retain=True))
    device.say(30)
    device.settles()
    listener.gets(30)
    assert (device.state().connects, device.state().outbox.acknowledged) == (1, 30)
    (told,) = lines(caplog, "rejects messages on homeassistant/device/porch/config")
    assert "(Packet too large: 5041 bytes, limit 2000): raise the broker's limit" in told
    eventually(lambda: lines(caplog, "rejects messages on fer_edge/porch/health"), "the other one")


def test_failure_of_the_link_thread_reaches_the_main_thread(mosquitto, make_device, eventually):
    device = make_device(mosquitto.port)
    device.connects()
    device.link.check()
    device.link.publish(Message("a/+/wildcard", b""))  # nobody of ours makes such a topic: paho raises
    eventually(lambda: "has failed" in device.link.state(0.0).text, "the failure")
    assert not device.link.state(0.0).connected
    with pytest.raises(ValueError, match="wildcard"):
        device.link.check()


def test_broker_that_is_away_is_no_hang_and_counts_as_tried(make_mosquitto, make_device, eventually):
    device = make_device(make_mosquitto().port, reconnect_max_s=3600)
    eventually(lambda: device.state().tried, "the first attempt")
    assert not device.state().connected
    assert device.link.deadline > time.monotonic()


def test_thread_that_hangs_gives_no_new_word(make_mosquitto):
    hangs, let_go = threading.Event(), threading.Event()

    def dice() -> float:
        hangs.set()
        let_go.wait(60.0)
        return 0.0

    settings = MqttSettings(host="127.0.0.1", port=make_mosquitto().port)
    word_of_a_gap = lambda *_: Message("a/gap", b"")  # noqa: E731 - nothing overflows here
    outbox = Outbox(Journal(None), Limits(events=10), word_of_a_gap, lambda message: message, TOPICS.event)
    link = Link(settings, TOPICS, outbox, random=dice)
    assert not link.state(0.0).tried
    link.start()
    assert hangs.wait(10.0)
    assert not link.state(0.0).tried
    assert link.deadline <= time.monotonic() + CONNECT_LIMIT_S
    word = link.deadline
    link.publish(Message("a/b", b""))
    assert link.deadline == word
    let_go.set()
    link.stop(10.0)
