"""`fer-edge check` and the broker: it tries what the daemon does, and nobody is disturbed."""

import subprocess

import pytest

from fer_edge.config.model import MqttSettings
from fer_edge.errors import SettingsError, UserError
from fer_edge.mqtt.connect import Timeouts
from fer_edge.mqtt.probe import probe
from fer_edge.mqtt.topics import Topics
from tests.mqtt.byte_broker import CONNECT, PUBLISH, ByteBroker, Packet, framed, publish

LOOPBACK = "127.0.0.1"
TOPICS = Topics("fer_edge", "porch")
SHORT = Timeouts(connect_s=1.0, answer_s=0.4, first_retry_s=0.05)
TRIAL = TOPICS.response("check")


def probed(settings: MqttSettings) -> str:
    return probe(settings, TOPICS, (TOPICS.requests,), SHORT)


def client_ids(broker: ByteBroker) -> list[bytes]:
    return [body[body.index(b"fer_edge-porch") :].split(b"\0")[0] for _, _, body in broker.received(CONNECT)]


@pytest.mark.system
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_running_daemon_is_left_alone_and_named(mosquitto, listen, settings_for, make_device, protocol):
    listener = listen(mosquitto.port)
    device = make_device(mosquitto.port, client_id="same")
    device.settles()
    line = probed(settings_for(mosquitto.port, client_id="same", protocol=protocol))
    assert line == (
        f"127.0.0.1:{mosquitto.port}, MQTT {protocol}, without a user name, without TLS, as same-check "
        "so as not to disturb the daemon, which is online as same"
    )
    device.say(1)
    device.settles()
    listener.gets(1)
    assert device.state().connects == 1
    assert listener.availability() == ["online"]
    (trial,) = listener.of(TRIAL)
    assert (trial.payload, trial.retain) == (b"", False)


@pytest.mark.system
def test_daemon_s_own_client_id_and_will_are_tried_where_none_runs(mosquitto, listen, settings_for, make_device):
    device = make_device(mosquitto.port)
    device.settles()
    device.delivery.stop(2.0)
    listener = listen(mosquitto.port)
    assert probed(settings_for(mosquitto.port)).endswith(", as fer_edge-porch")
    assert probed(settings_for(mosquitto.port, protocol="3.1.1")).endswith(", as fer_edge-porch")
    listener.gets(2, TRIAL)
    assert listener.availability() == ["offline"]  # the retained one


@pytest.mark.system
def test_nothing_is_left_behind_where_no_daemon_ever_was(mosquitto, listen, settings_for):
    assert probed(settings_for(mosquitto.port)).endswith(", as fer_edge-porch-check")
    assert listen(mosquitto.port).received == []


def test_client_id_last_will_retain_and_qos_are_those_of_the_daemon():
    offline = publish(TOPICS.availability.encode(), b"offline", retain=True)
    with ByteBroker(subscribed=offline) as broker:
        probed(MqttSettings(host=LOOPBACK, port=broker.port))
        assert client_ids(broker) == [b"fer_edge-porch-check", b"fer_edge-porch"]
        other, own = (body for _, _, body in broker.received(CONNECT))
        assert other[7] == own[7]
        assert own[7] & 0x3C == 0x2C  # a last will of QoS 1, retained
        assert TOPICS.availability.encode() in own
        ((_, flags, body),) = broker.received(PUBLISH)
        assert (flags & 7, TRIAL.encode() in body) == (3, True)


def test_client_id_that_is_refused_is_named():
    offline = publish(TOPICS.availability.encode(), b"offline", retain=True)

    def own_id(packet: Packet) -> bool:
        return packet[0] == CONNECT and b"fer_edge-porch-check" not in packet[2]

    with ByteBroker(subscribed=offline, hangs_up=own_id) as broker, pytest.raises(UserError, match="does not answer"):
        probed(MqttSettings(host=LOOPBACK, port=broker.port))


@pytest.mark.system
@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
@pytest.mark.parametrize(
    ("option", "lost"), [("retain_available false", "no retained"), ("max_qos 0", "not support QoS 1")]
)
def test_broker_that_has_less_is_ok_and_what_is_lost_is_named(make_mosquitto, settings_for, option, lost, protocol):
    broker = make_mosquitto("allow_anonymous true", option)
    broker.start()
    assert lost in probed(settings_for(broker.port, protocol=protocol))


@pytest.mark.parametrize("bit", [1, 6])
def test_3_1_1_broker_that_hangs_up_on_what_is_published_is_ok_with_less(bit):
    def refuses(packet: Packet) -> bool:
        return packet[0] == PUBLISH and bool(packet[1] & bit)

    with ByteBroker(hangs_up=refuses) as broker:
        line = probed(MqttSettings(host=LOOPBACK, port=broker.port, protocol="3.1.1"))
        assert "; it " in line


def test_broker_that_lets_nobody_publish_or_ask_is_named():
    with (
        ByteBroker(puback=lambda one: framed(0x40, one + b"\x87")) as broker,
        pytest.raises(UserError, match=r"rejects messages on fer_edge/porch/response/check .*access list"),
    ):
        probed(MqttSettings(host=LOOPBACK, port=broker.port))
    with ByteBroker(suback=lambda one, count: framed(0x90, one + b"\0" + b"\x87" * count)) as broker:
        line = probed(MqttSettings(host=LOOPBACK, port=broker.port))
        assert line.count("rejects the subscription to fer_edge/porch/request/+") == 1


@pytest.mark.system
def test_access_list_of_the_handbook_is_enough(guarded, settings_for, tmp_path):
    broker = guarded("user cam\ntopic write fer_edge/porch/#\ntopic read fer_edge/porch/request/+\n")
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("secret")
    line = probed(settings_for(broker.port, username="cam", password_file=str(password)))
    assert line.endswith("user 'cam', without TLS, as fer_edge-porch-check")
    subprocess.run(["sed", "-i", "s/write/read/", broker.folder / "acl"], check=True)
    broker.kill()
    broker.start()
    with pytest.raises(UserError, match=r"access list|rejects user 'cam'"):
        probed(settings_for(broker.port, username="cam", password_file=str(password)))


def test_trouble_is_one_line_for_people(free_port, tmp_path):
    with pytest.raises(UserError, match="is the broker running") as caught:
        probed(MqttSettings(host=LOOPBACK, port=free_port()))
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"mqtt\.password_file: cannot read"):
        probed(MqttSettings(username="cam", password_file=str(tmp_path / "none")))
