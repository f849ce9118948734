"""Opens a session from the settings: MQTT versions in order, timeouts."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec

from fer_edge.config.model import MqttSettings
from fer_edge.errors import SettingsError
from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.capabilities import ALL, Abilities
from fer_edge.mqtt.credentials import load_credentials
from fer_edge.mqtt.diagnostics import BrokerAddress, BrokerError
from fer_edge.mqtt.outbox import InFlight
from fer_edge.mqtt.topics import client_id
from fer_edge.types import Message

if TYPE_CHECKING:
    from fer_edge.mqtt.session import Session

Version = Literal["5", "3.1.1"]
# MQTT 5 is tried again at the next connect after this time: the broker may only have been slow.
REMEMBERED_S = 3600.0
TRIAL_KEY = 1


class Versions:
    """Order of the MQTT versions to try. Not thread-safe; the link's thread owns it. ``wanted`` is `mqtt.protocol`."""

    def __init__(self, wanted: Literal["auto", "5", "3.1.1"]) -> None:
        self._order: tuple[Version, ...] = ("5", "3.1.1") if wanted == "auto" else (wanted,)
        self._worked: Version | None = None
        self._worked_at = float("-inf")

    def order(self, now: float) -> tuple[Version, ...]:
        """Return the versions to try; the first that is answered is used."""
        if self._worked is None or (self._worked == "3.1.1" and now - self._worked_at >= REMEMBERED_S):
            return self._order
        return (self._worked, *(version for version in self._order if version != self._worked))

    def is_new_fallback(self, version: Version, now: float) -> bool:
        """Return whether ``version`` is a fallback that is not remembered yet; a cut link may have caused it."""
        return version == "3.1.1" != self.order(now)[0]

    def answered(self, version: Version, now: float) -> None:
        """Record that the broker accepted a connection in ``version``."""
        # A failed attempt of MQTT 5 after REMEMBERED_S is recorded as well, otherwise each connect would repeat it.
        if self._worked != version or now - self._worked_at >= REMEMBERED_S:
            self._worked, self._worked_at = version, now


class Timeouts(msgspec.Struct, frozen=True):
    """Timeouts of the link, in seconds."""

    connect_s: float = 5.0  # for TCP and TLS, each address of the broker
    answer_s: float = 3.0  # for CONNACK; amqtt never answers MQTT 5, so the first connect to it takes twice this
    first_retry_s: float = 1.0  # the first wait after a failure; grows to mqtt.reconnect_max_s
    steady_s: float = 10.0  # a link that lasts this long is steady: the backoff is reset
    offline_s: float = 1.0  # part of the stop timeout that is reserved for `offline`
    unsubscribed_s: float = 600.0  # without subscription after a message that was too large ended the link


def broker_of(settings: MqttSettings, device: str) -> BrokerAddress:
    """Return the broker's address and the client's identity from the settings."""
    name = settings.client_id or client_id(settings.prefix, device)
    path = settings.websocket_path if settings.transport == "websocket" else ""
    return BrokerAddress(settings.host, settings.port, settings.username, name, settings.tls.enabled, path)


def open_session(  # noqa: PLR0913  keyword arguments
    settings: MqttSettings,
    broker: BrokerAddress,
    versions: Sequence[Version],
    timeouts: Timeouts,
    *,
    will: Message | None = None,
    abilities: Abilities = ALL,
) -> "Session":
    """Open a session in the first of ``versions`` that the broker answers, with as much of ``abilities`` as it has.

    Files with secrets are read again each time.

    Raises:
        BrokerError: no session could be opened.
    """
    # Importing paho takes a sixth of the start; here only the link's thread waits for it.
    from fer_edge.mqtt.session import Session  # noqa: PLC0415

    try:
        credentials = load_credentials(settings, quiet=True)
    except SettingsError as error:  # valid at the start; it may be again
        raise BrokerError(str(error)) from error

    def attempt(version: Version, abilities: Abilities) -> Session:
        session = Session(broker, credentials, version, settings.keepalive_s, will=will, abilities=abilities)
        session.open(timeouts.connect_s, timeouts.answer_s)
        return session

    hung_up = False
    for version in versions:
        try:
            return _reduced(partial(attempt, version), abilities)
        except BrokerError as error:
            hung_up |= error.hung_up
            if not (error.silent or error.version):
                raise
            last = error
    if last.silent and len(versions) > 1:
        raise BrokerError(diagnostics.unanswered(broker, " or ".join(versions)), hung_up=hung_up)
    raise last


def is_acknowledged(
    settings: MqttSettings, broker: BrokerAddress, trial: Message, timeouts: Timeouts, abilities: Abilities
) -> bool | None:
    """Run one MQTT 3.1.1 session with ``trial`` as will and as message, for `find_missing`.

    Returns:
        True if the broker acknowledged the message; False if it closed the connection; None for any other result.
    """
    try:
        session = open_session(settings, broker, ("3.1.1",), timeouts, will=trial, abilities=abilities)
    except BrokerError as error:
        return False if error.hung_up else None
    try:
        session.send(InFlight(TRIAL_KEY, trial))
        session.wait_for_ping(timeouts.answer_s)
    except BrokerError as error:
        return False if error.hung_up else None
    finally:
        session.end()
    return True


def _reduced(attempt: Callable[[Abilities], "Session"], abilities: Abilities) -> "Session":
    """Open a session with ``abilities``; without the will's retain or QoS where the broker rejects them by name.

    Raises:
        BrokerError: the reason why the last attempt failed.
    """
    try:
        return attempt(abilities)
    except BrokerError as error:
        if error.lacks is None or (left := abilities.without(error.lacks)) == abilities:
            raise
    return _reduced(attempt, left)
