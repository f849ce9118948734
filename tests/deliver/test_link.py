"""The link against a real mosquitto: what a subscriber who was always there received."""

import logging
import signal
import subprocess
import sys
import time

import pytest

from fer_edge.deliver.topics import Topics
from fer_edge.values import Message

pytestmark = pytest.mark.system

TOPICS = Topics("fer_edge", "porch")


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    """The log lines of the link that hold ``part``."""
    return [record.message for record in caplog.records if part in record.message]


def test_link_says_online_then_what_is_retained_then_events_in_order(mosquitto, listen, settings_for, make_device):
    listener = listen(mosquitto.port)
    device = make_device(settings_for(mosquitto))
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


def test_live_event_is_not_marked_as_replayed_and_expires(mosquitto, listen, settings_for, make_device):
    listener = listen(mosquitto.port)
    device = make_device(settings_for(mosquitto, event_expiry_s=600))
    device.connects()
    device.say(1)
    listener.gets(1)
    event = listener.of(TOPICS.event)[0]
    assert not event.json["replayed"]
    assert 595 <= event.expiry_s <= 600


def test_clean_stop_sends_what_is_left_and_leaves_a_retained_offline(
    mosquitto, listen, settings_for, make_device, eventually
):
    listener = listen(mosquitto.port)
    device = make_device(settings_for(mosquitto))
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
        "from fer_edge.config import MqttSettings\n"
        "from fer_edge.deliver.link import Link\n"
        "from fer_edge.deliver.outbox import Outbox\n"
        "from fer_edge.deliver.topics import Topics\n"
        "outbox = Outbox(10, lambda *_: None, lambda message: message)\n"
        "settings = MqttSettings(host='127.0.0.1', port=int(sys.argv[1]))\n"
        "Link(settings, Topics('fer_edge', 'porch'), outbox, random.random).start()\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script, str(mosquitto.port)]) as daemon:
        eventually(lambda: listener.availability() == ["online"], "online")
        daemon.send_signal(signal.SIGKILL)
    eventually(lambda: listener.availability() == ["online", "offline"], "the last will")


def test_broker_that_is_absent_at_the_start_is_found_when_it_comes(
    make_mosquitto, listen, settings_for, make_device, caplog, eventually
):
    caplog.set_level(logging.INFO)
    broker = make_mosquitto()
    device = make_device(settings_for(broker, reconnect_max_s=1.0))
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
    make_mosquitto, listen, settings_for, make_device, eventually
):
    broker = make_mosquitto()
    broker.start()
    before = listen(broker.port)
    device = make_device(settings_for(broker, reconnect_max_s=1.5))
    device.connects()
    device.say(20)
    device.settles()
    eventually(lambda: before.seqs() == list(range(1, 21)), "the events before")
    broker.kill()
    device.say(200)
    eventually(lambda: not device.state().connected, "the loss is noticed")
    device.say(100)
    broker.start()
    after = listen(broker.port)  # is there before the device: a wait is drawn from up to 1.5 s
    device.settles()
    eventually(lambda: after.seqs()[-1:] == [320], "the last event")
    # What was on its way at the kill may have come before it as well: doubles, but the same events.
    came = [*before.seqs()[20:], *after.seqs()]
    assert sorted(set(came)) == list(range(21, 321))
    assert after.seqs() == sorted(after.seqs())
    assert all(event.json["replayed"] for event in after.of(TOPICS.event))


def test_retained_messages_are_back_after_the_broker_came_back_empty(
    make_mosquitto, listen, settings_for, make_device, eventually
):
    broker = make_mosquitto()
    broker.start()
    device = make_device(settings_for(broker))
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
    make_mosquitto, listen, settings_for, make_device, eventually
):
    broker = make_mosquitto()
    device = make_device(settings_for(broker, queue=10, reconnect_max_s=1.5, event_expiry_s=0))
    device.say(100)
    eventually(lambda: "refuses" in device.state().text, "an attempt")
    broker.start()
    listener = listen(broker.port)
    device.settles()
    eventually(lambda: len(listener.of(TOPICS.event)) == 10, "the queue")
    assert listener.seqs() == [91, *range(92, 101)]
    gap = listener.of(TOPICS.event)[0].json
    assert (gap["event_type"], gap["missing"], gap["reason"]) == ("gap", {"from": 1, "to": 91}, "queue_full")
    assert device.state().outbox.dropped == 91


def test_half_open_link_is_noticed_and_healed(mosquitto, listen, settings_for, make_device, caplog, eventually):
    device = make_device(settings_for(mosquitto, keepalive_s=1))
    device.connects()
    mosquitto.signal(signal.SIGSTOP)
    device.say(3)
    eventually(lambda: not device.state().connected, "the silence is noticed")
    assert len(lines(caplog, "has gone silent")) == 1
    mosquitto.signal(signal.SIGCONT)
    device.connects(2)
    device.settles()
    assert device.state().outbox.acknowledged == 3


def test_daemons_with_one_client_id_are_told_once_each(
    mosquitto, listen, settings_for, make_device, caplog, eventually
):
    caplog.set_level(logging.INFO)
    first = make_device(settings_for(mosquitto))
    first.connects()
    second = make_device(settings_for(mosquitto))
    eventually(lambda: first.state().connects + second.state().connects >= 8, "they throw each other out")
    assert len(lines(caplog, "another client uses the client id 'fer_edge-porch'")) == 2
    assert len(lines(caplog, "connected to")) <= 4
    assert second.link.stop(2.0) or first.link.stop(2.0)


def test_wrong_password_is_told_once_and_tried_for_ever(
    make_mosquitto, settings_for, make_device, tmp_path, caplog, eventually
):
    broker = guarded(make_mosquitto, tmp_path)
    password = tmp_path / "password"
    password.write_text("wrong\n")
    device = make_device(settings_for(broker, username="cam", password_file=str(password)))
    eventually(lambda: "refuses user 'cam'" in device.state().text, "the refusal")
    time.sleep(0.6)  # several attempts
    told = lines(caplog, "refuses user 'cam'")
    assert len(told) == 1
    assert "check mqtt.username and the password in mqtt.password_file" in told[0]
    assert "wrong" not in caplog.text
    password.write_text("secret\n")  # corrected without a restart
    device.connects()


def test_refused_topic_is_told_once_and_announced_when_it_is_allowed_again(
    make_mosquitto, listen, settings_for, make_device, tmp_path, caplog, eventually
):
    access = f"user cam\ntopic write {TOPICS.base}/#\ntopic deny {TOPICS.event}\nuser viewer\ntopic read #\n"
    broker = guarded(make_mosquitto, tmp_path, access)
    listener = listen(broker.port, "viewer", "secret")
    password = tmp_path / "password"
    password.write_text("secret\n")
    device = make_device(settings_for(broker, username="cam", password_file=str(password)))
    device.connects()
    device.say(3)
    device.link.publish(device.messages.state((), "running"))
    eventually(lambda: device.state().outbox.refused == 3, "three refusals")
    device.settles()
    device.say(2)
    eventually(lambda: device.state().outbox.refused == 5, "five refusals")
    eventually(lambda: listener.of(TOPICS.state), "the state, which is allowed")
    told = lines(caplog, "refuses what is published on fer_edge/porch/event")
    assert len(told) == 1
    assert "access list" in told[0]
    assert listener.seqs() == []
    (tmp_path / "acl").write_text(access.replace("topic deny", "topic write"))
    broker.signal(signal.SIGHUP)
    time.sleep(0.2)  # mosquitto reads it in its next round, and does not say when
    device.say(1)
    device.settles()
    eventually(lambda: listener.seqs() == [5, 6], "the gap, then the next event")
    gap = listener.of(TOPICS.event)[0].json
    assert (gap["event_type"], gap["missing"], gap["reason"]) == ("gap", {"from": 1, "to": 5}, "refused")


def test_failure_of_the_link_thread_reaches_the_main_thread(mosquitto, settings_for, make_device, eventually):
    device = make_device(settings_for(mosquitto))
    device.connects()
    device.link.check()
    device.link.publish(Message("a/+/wildcard", b""))  # nobody of ours makes such a topic: paho raises
    eventually(lambda: "has failed" in device.link.state(0.0).text, "the failure")
    assert not device.link.state(0.0).connected
    with pytest.raises(ValueError, match="wildcard"):
        device.link.check()


def guarded(make_mosquitto, folder, access: str | None = None):
    """A running broker that knows the users cam and viewer, both with the password `secret`."""
    users = folder / "users"
    users.touch(mode=0o600)
    for user in ("cam", "viewer"):
        subprocess.run(["mosquitto_passwd", "-b", users, user, "secret"], check=True, capture_output=True)
    options = ["allow_anonymous false", f"password_file {users}"]
    if access is not None:
        (folder / "acl").write_text(access)
        (folder / "acl").chmod(0o600)
        options.append(f"acl_file {folder / 'acl'}")
    broker = make_mosquitto(*options)
    broker.start()
    return broker
