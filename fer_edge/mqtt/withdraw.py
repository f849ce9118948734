"""Takes one retained message back: connect, replace it, wait until the broker has it, hang up."""

import time

from msgspec.structs import replace

from fer_edge.config.model import MqttSettings
from fer_edge.errors import UserError
from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.connect import Patience, broker_of, open_session
from fer_edge.mqtt.credentials import load_credentials
from fer_edge.mqtt.diagnostics import Broker, Trouble
from fer_edge.mqtt.parcel import Parcel
from fer_edge.mqtt.session import Session
from fer_edge.mqtt.versions import Versions
from fer_edge.types import Message

SUFFIX = "-withdraw"  # with the daemon's own client id we would throw a running daemon out
ANSWER_S = 5.0


def withdraw(settings: MqttSettings, device: str, message: Message, patience: Patience | None = None) -> str:
    """Publishes ``message``, an empty retained one; gives the broker as it is called in sentences.

    Raises:
        SettingsError: a password or certificate file cannot be used.
        UserError: the broker cannot be reached, or refuses it; one line that says what to do.
    """
    load_credentials(settings)
    broker = broker_of(settings, device)
    broker = replace(broker, client_id=broker.client_id + SUFFIX)
    try:
        session = open_session(settings, broker, Versions(settings.protocol).order(0.0), patience or Patience())
        session.send(Parcel(1, message))
        _wait(session, broker)
        session.end()
    except Trouble as why:
        raise UserError(str(why)) from why
    return str(broker)


def _wait(session: Session, broker: Broker) -> None:
    deadline = time.monotonic() + ANSWER_S
    while (left_s := deadline - time.monotonic()) > 0:
        for answer in session.serve(left_s):
            if answer.code >= diagnostics.FAILURE:
                raise Trouble(diagnostics.publish_refused(answer.topic, answer.code, answer.name, broker))
            return
    raise Trouble(diagnostics.gone_silent(broker))
