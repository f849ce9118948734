"""What `fer-edge check` does to the broker: connect, be let in, hang up."""

import socket

import msgspec

from fer_edge.config import MqttSettings
from fer_edge.deliver.connect import Patience, broker_of, open_session
from fer_edge.deliver.credentials import load_credentials
from fer_edge.deliver.trouble import Trouble
from fer_edge.deliver.versions import Versions
from fer_edge.errors import UserError

SUFFIX = "-check"  # with the daemon's own client id the probe would throw a running daemon out


def probe(settings: MqttSettings, patience: Patience | None = None) -> str:
    """One line that says how the broker was reached; nothing is published and nothing subscribed.

    Raises:
        SettingsError: a password or certificate file cannot be used.
        UserError: the broker cannot be reached or does not let us in; one line that says what to do.
    """
    load_credentials(settings)
    broker = broker_of(settings, socket.gethostname())
    broker = msgspec.structs.replace(broker, client_id=broker.client_id + SUFFIX)
    try:
        session = open_session(settings, broker, Versions(settings.protocol).order(0.0), patience or Patience())
    except Trouble as why:
        raise UserError(str(why)) from why
    session.end()
    how = f"user {settings.username!r}" if settings.username else "without a user name"
    if broker.websocket_path:
        how += ", by WebSocket"
    return f"{broker}, MQTT {session.version}, {how}, {'with' if broker.tls else 'without'} TLS"
