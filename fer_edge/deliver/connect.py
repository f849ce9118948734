"""From settings to an open session: which versions of MQTT are tried, and how long each may take."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from fer_edge.config import MqttSettings
from fer_edge.deliver import trouble
from fer_edge.deliver.credentials import load_credentials
from fer_edge.deliver.topics import client_id
from fer_edge.deliver.trouble import Broker, Trouble
from fer_edge.deliver.versions import Version
from fer_edge.errors import SettingsError
from fer_edge.values import Message

if TYPE_CHECKING:
    from fer_edge.deliver.session import Session


class Patience(msgspec.Struct, frozen=True):
    """How long the link waits, in seconds."""

    connect_s: float = 5.0  # for TCP and TLS, each address of the broker
    answer_s: float = 3.0  # for the greeting; amqtt never answers MQTT 5, each first connect to it costs this
    first_retry_s: float = 1.0  # the first wait after a failure; grows to mqtt.reconnect_max_s
    steady_s: float = 10.0  # a link that lasts this long is well: waits start small again
    farewell_s: float = 1.0  # of the time for stopping, kept for `offline`


def broker_of(settings: MqttSettings, device: str) -> Broker:
    """The broker that the settings name, and who we are to it."""
    name = settings.client_id or client_id(settings.prefix, device)
    path = settings.websocket_path if settings.transport == "websocket" else ""
    return Broker(settings.host, settings.port, settings.username, name, settings.tls.enabled, path)


def open_session(
    settings: MqttSettings,
    broker: Broker,
    versions: Sequence[Version],
    patience: Patience,
    will: Message | None = None,
) -> "Session":
    """A session in the first of ``versions`` that the broker answers. Files of secrets are read anew each time.

    Raises:
        Trouble: there is no link, and why.
    """
    # paho takes a sixth of the start. Here the link's thread waits for it, while the first face is looked at already.
    from fer_edge.deliver.session import Session  # noqa: PLC0415

    try:
        credentials = load_credentials(settings, quiet=True)
    except SettingsError as error:  # it was fine at the start, and may be again
        raise Trouble(str(error)) from error
    for version in versions:
        session = Session(broker, credentials, version, settings.keepalive_s, will)
        try:
            session.open(patience.connect_s, patience.answer_s)
        except Trouble as why:
            if not (why.silent or why.version):
                raise
            last = why
        else:
            return session
    raise Trouble(trouble.unanswered(broker, " or ".join(versions))) if last.silent else last
