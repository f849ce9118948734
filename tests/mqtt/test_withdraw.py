"""A retained message is taken back from a real mosquitto, while the daemon stays connected."""

import pytest

from fer_edge.errors import UserError
from fer_edge.mqtt.connect import Timeouts
from fer_edge.mqtt.probe import clear_retained
from fer_edge.types import Message

pytestmark = pytest.mark.system

TOPIC = "fer_edge/porch/config"
GONE = Message(TOPIC, b"", retain=True)
SHORT = Timeouts(connect_s=1.0, answer_s=1.0)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_message_is_gone_for_whoever_comes_later_and_the_daemon_stays(
    mosquitto, make_device, listen, settings_for, eventually, protocol
):
    device = make_device(mosquitto.port)
    device.link.publish(Message(TOPIC, b"here", retain=True))
    device.settles()
    early = listen(mosquitto.port)
    eventually(lambda: early.of(TOPIC), "the retained message")
    broker = clear_retained(settings_for(mosquitto.port, protocol=protocol), "porch", GONE, SHORT)
    assert broker == f"127.0.0.1:{mosquitto.port}"
    late = listen(mosquitto.port)
    eventually(late.availability, "the retained availability")
    assert late.of(TOPIC) == []
    assert device.state().connects == 1


def test_broker_that_is_away_or_refuses_is_one_line(free_port, guarded, settings_for, tmp_path):
    with pytest.raises(UserError, match="is the broker running"):
        clear_retained(settings_for(free_port()), "porch", GONE, SHORT)
    broker = guarded("user cam\ntopic write fer_edge/porch/event\n")
    (tmp_path / "password").write_text("secret\n")
    settings = settings_for(broker.port, username="cam", password_file=str(tmp_path / "password"))
    with pytest.raises(UserError, match="rejects messages on fer_edge/porch/config"):
        clear_retained(settings, "porch", GONE, SHORT)
