"""Broker check of `fer-edge check`, and clearing of retained messages.

The check does what the daemon does at each connect. A second client with the daemon's id would disconnect a running
daemon, and MQTT has no query for ids in use. So last will, retain, QoS, subscriptions and publishing are tried with
another id first. The daemon's own id and last will follow only if the retained availability is `offline`.
"""

import time
from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from fer_edge.config.model import MqttSettings
from fer_edge.errors import UserError
from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.capabilities import ALL, Abilities, find_missing
from fer_edge.mqtt.connect import Timeouts, Versions, broker_of, is_acknowledged, open_session
from fer_edge.mqtt.credentials import load_credentials
from fer_edge.mqtt.diagnostics import BrokerAddress, BrokerError
from fer_edge.mqtt.messages import OFFLINE, ONLINE, availability
from fer_edge.mqtt.outbox import InFlight
from fer_edge.mqtt.requests import ReceivedMessage, Subscription
from fer_edge.mqtt.session import Session
from fer_edge.mqtt.topics import Topics
from fer_edge.types import Message

SUFFIX = "-check"
KEY = 1
ANSWER_S = 5.0


class _Found(msgspec.Struct):
    """Result of the check with the other client id."""

    session: Session  # ended
    availability: bytes | None  # retained; None: not present or not readable
    rejected: list[str]  # a line for each subscription that the broker rejects


def probe(settings: MqttSettings, topics: Topics, filters: Sequence[str], timeouts: Timeouts | None = None) -> str:
    """Return one line about the connection to the broker and the features that it lacks.

    One empty message is published on `response/check`; nothing stays on the broker. ``filters`` are the topic filters
    that the daemon subscribes to.

    Raises:
        SettingsError: a password or certificate file cannot be used.
        UserError: the broker cannot be reached, or rejects what the daemon does; one line with the cure.
    """
    load_credentials(settings)
    timeouts = timeouts or Timeouts()
    own = broker_of(settings, topics.device)
    other = msgspec.structs.replace(own, client_id=own.client_id + SUFFIX)
    try:
        found = _check(settings, other, topics, filters, timeouts)
        name = other.client_id
        if found.availability == OFFLINE:
            name = own.client_id
            will, able = availability(topics, OFFLINE), found.session.abilities
            versions = [found.session.version]
            open_session(settings, own, versions, timeouts, will=will, abilities=able).end()
    except BrokerError as error:
        raise UserError(str(error)) from error
    how = f"user {settings.username!r}" if settings.username else "without a user name"
    if own.websocket_path:
        how += ", by WebSocket"
    line = f"{own}, MQTT {found.session.version}, {how}, {'with' if own.tls else 'without'} TLS, as {name}"
    if found.availability == ONLINE:
        line += f" so as not to disturb the daemon, which is online as {own.client_id}"
    lost = found.session.abilities.lost()
    return "; ".join([line, *([f"it {lost}"] if lost else []), *found.rejected])


def _check(
    settings: MqttSettings, broker: BrokerAddress, topics: Topics, filters: Sequence[str], timeouts: Timeouts
) -> _Found:
    """Do all that the daemon does, with the features that the broker supports.

    Raises:
        BrokerError: the broker cannot be reached, or rejects it.
    """
    trial = Message(topics.response("check"), b"", qos=1, retain=True)
    versions = Versions(settings.protocol).order(0.0)
    abilities = ALL
    while True:
        try:
            session = open_session(settings, broker, versions, timeouts, will=trial, abilities=abilities)
            try:
                return _ask(session, broker, topics, filters, trial)
            finally:
                session.end()
        except BrokerError as error:
            less: Abilities | None = None
            if error.lacks is not None:
                less = abilities.without(error.lacks)
            elif error.hung_up and abilities == ALL:
                less = find_missing(partial(is_acknowledged, settings, broker, trial, timeouts))
            if less is None or less == abilities:
                raise
            abilities = less


def _ask(session: Session, broker: BrokerAddress, topics: Topics, filters: Sequence[str], trial: Message) -> _Found:
    """Subscribe and publish; wait for every answer."""
    received: list[ReceivedMessage] = []
    found = _Found(session, None, [])
    session.subscribe(Subscription((topics.availability, *filters), received.append))
    session.send(InFlight(KEY, trial))
    awaited: set[str | int] = {topics.availability, *filters, KEY}
    deadline = time.monotonic() + ANSWER_S
    while awaited:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise BrokerError(diagnostics.gone_silent(broker))
        for answer in session.serve(left_s):
            awaited.discard(answer.topic if answer.subscription else KEY)
            refused = answer.code >= diagnostics.FAILURE
            if refused and not answer.subscription:
                raise BrokerError(diagnostics.trial_refused(answer.topic, answer.code, answer.name, broker))
            if refused and answer.topic in filters:
                found.rejected.append(diagnostics.subscription_refused(answer.topic, answer.name, broker))
    for one in received:
        if one.topic == topics.availability:
            found.availability = one.payload
    return found


CLEAR_SUFFIX = "-withdraw"  # the daemon's own client id would disconnect a running daemon


def clear_retained(settings: MqttSettings, device: str, message: Message, timeouts: Timeouts | None = None) -> str:
    """Publish ``message``, an empty retained one; return the broker's address.

    Raises:
        SettingsError: a password or certificate file cannot be used.
        UserError: the broker cannot be reached, or rejects it; one line with the cure.
    """
    load_credentials(settings)
    broker = broker_of(settings, device)
    broker = replace(broker, client_id=broker.client_id + CLEAR_SUFFIX)
    try:
        session = open_session(settings, broker, Versions(settings.protocol).order(0.0), timeouts or Timeouts())
        session.send(InFlight(1, message))
        _wait(session, broker)
        session.end()
    except BrokerError as error:
        raise UserError(str(error)) from error
    return str(broker)


def _wait(session: Session, broker: BrokerAddress) -> None:
    deadline = time.monotonic() + ANSWER_S
    while (left_s := deadline - time.monotonic()) > 0:
        for answer in session.serve(left_s):
            if answer.code >= diagnostics.FAILURE:
                raise BrokerError(diagnostics.publish_refused(answer.topic, answer.code, answer.name, broker))
            return
    raise BrokerError(diagnostics.gone_silent(broker))
