"""Why there is no link, as one line that says what to do. Pure."""

import errno
import os
import socket
import ssl

import msgspec

from fer_edge.mqtt.capabilities import Feature
from fer_edge.terminal import printable

# MQTT 5 reason codes, OASIS MQTT 5.0 section 2.4. paho translates the return codes of 3.1.1 to the same numbers.
UNSUPPORTED_PROTOCOL = 0x84
BAD_CLIENT_ID = 0x85
BAD_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
KEEPALIVE_TIMEOUT = 0x8D
SESSION_TAKEN_OVER = 0x8E
PACKET_TOO_LARGE = 0x95
QUOTA_EXCEEDED = 0x97
FAILURE = 0x80  # codes from here on are failures

# OpenSSL's X509_V_ERR_* as they come in SSLCertVerificationError.verify_code.
NOT_YET_VALID = 9
EXPIRED = 10
WRONG_HOST = (62, 64)  # name, address
# The end of a connection that a broker closes with something of ours unread, in place of a plain end.
_CLOSED_BY_BROKER = tuple(os.strerror(code) for code in (errno.ECONNRESET, errno.EPIPE))


class BrokerError(Exception):
    """There is no link, or none any more; the message is one line that says what to do.

    ``silent``: the broker accepted the connection and never answered CONNECT, as brokers do that do not know its MQTT
    version. ``version``: it rejected the version by name. ``hung_up``: it closed an MQTT 3.1.1 link before any
    acknowledgement; it may lack a feature. ``lacks``: the feature that it reported as unsupported. ``too_large``: it
    announced a packet beyond the limit. Control characters in ``text`` are escaped: parts of it may be the broker's.
    """

    def __init__(  # noqa: PLR0913 - what follows from it, by name
        self,
        text: str,
        *,
        silent: bool = False,
        version: bool = False,
        hung_up: bool = False,
        lacks: Feature | None = None,
        too_large: bool = False,
    ) -> None:
        super().__init__(printable(text))
        self.silent = silent
        self.version = version
        self.hung_up = hung_up
        self.lacks = lacks
        self.too_large = too_large


class BrokerAddress(msgspec.Struct, frozen=True):
    """The broker as it is called in sentences."""

    host: str
    port: int
    username: str
    client_id: str
    tls: bool
    websocket_path: str = ""  # empty: plain TCP

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host  # IPv6, RFC 3986 section 3.2.2
        return f"{host}:{self.port}"


def unreachable(error: OSError | ValueError | LookupError, broker: BrokerAddress) -> str:
    """Why no connection came about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, broker)
    if isinstance(error, socket.gaierror):
        return f"the broker's name {broker.host!r} is not known: check mqtt.host and this device's DNS"
    if isinstance(error, ConnectionRefusedError):
        return f"{broker} refuses the connection: is the broker running, and are mqtt.host and mqtt.port right?"
    if isinstance(error, TimeoutError):
        return f"{broker} does not answer: check mqtt.host, the network and firewalls"
    if spoken := _not_spoken(error, broker):
        return spoken
    return f"no connection to {broker}: {_word(error)}; check mqtt.host and this device's network"


def refused(code: int, name: str, broker: BrokerAddress) -> str:
    """Why the broker answered the greeting with no; ``name`` is the reason code's."""
    if code in (BAD_PASSWORD, NOT_AUTHORIZED):
        who = f"user {broker.username!r}" if broker.username else "connections without a user name"
        return f"{broker} refuses {who} ({name}): check mqtt.username and the password in mqtt.password_file"
    if code == BAD_CLIENT_ID:
        return f"{broker} refuses the client id {broker.client_id!r}: set mqtt.client_id to one that it accepts"
    if code == UNSUPPORTED_PROTOCOL:
        return f"{broker} does not know this version of MQTT: set mqtt.protocol to auto"
    return f"{broker} refuses the connection ({name}): ask its log why"


def unanswered(broker: BrokerAddress, version: str) -> str:
    """The broker took the connection and said nothing, or hung up, before it was greeted back."""
    # A broker that misses a client's certificate says so after the handshake (TLS 1.3), and hangs up with our greeting
    # unread: whether its word or the reset arrives first is a race.
    wish = "a client's certificate (mqtt.tls.certificate)" if broker.tls else "mqtt.tls.enabled"
    also = "" if broker.websocket_path else " or mqtt.transport: websocket"
    return f"{broker} does not answer in MQTT {version}: is this an MQTT broker, and does it want {wish}{also}?"


def malformed(what: str, broker: BrokerAddress) -> str:
    """Why what the broker answered the greeting with is none."""
    return f"{broker} answers with {what}: is this an MQTT broker?"


def ended(code: int, name: str, broker: BrokerAddress) -> str:
    """Why the broker ended a link with a word (MQTT 5)."""
    if code == SESSION_TAKEN_OVER:
        return (
            f"another client took over the client id {broker.client_id!r} at {broker}: "
            "give each daemon its own device name or mqtt.client_id"
        )
    return f"{broker} ended the link ({name})"


def broken_off(error: str, broker: BrokerAddress) -> str:
    """Why a link ended without a word; ``error`` is what the socket said, empty for a plain end."""
    if "CERTIFICATE_REQUIRED" in error:
        return f"{broker} wants a certificate of this client: set mqtt.tls.certificate and mqtt.tls.key"
    if "ALERT" in error:  # the other side ended TLS, after our handshake was done (TLS 1.3)
        return f"{broker} does not accept this client's certificate ({error}): check mqtt.tls.certificate"
    if error and not any(one in error for one in _CLOSED_BY_BROKER):
        return f"the link to {broker} broke off ({error})"
    # All that MQTT 3.1.1 says when an id is taken over, and mosquitto 2.0.11 in MQTT 5 as well.
    return f"{broker} hung up: it was stopped, or another client uses the client id {broker.client_id!r}"


def gone_silent(broker: BrokerAddress) -> str:
    """The link stands, and nothing comes back over it."""
    return f"{broker} has gone silent: it hangs, or the network between is cut"


def too_large(limit: int, broker: BrokerAddress) -> str:
    """Why the link was ended before a message was read."""
    return (
        f"{broker} sends a message of more than {limit} bytes, which is no request and no event: hung up; find out who "
        "publishes it, clear it where it is retained"
    )


def subscription_refused(topic: str, name: str, broker: BrokerAddress) -> str:
    """Why nothing can be asked of this device over an otherwise good link."""
    return f"{broker} does not let us subscribe to {topic} ({name}): allow it in the broker's access list"


def publish_refused(topic: str, code: int, name: str, broker: BrokerAddress) -> str:
    """Why a message was refused on an otherwise good link."""
    return f"{trial_refused(topic, code, name, broker)}; it is counted and not sent again"


def trial_refused(topic: str, code: int, name: str, broker: BrokerAddress) -> str:
    """Why nothing can be published on a topic over an otherwise good link."""
    what = _REFUSAL_CURES.get(code, "ask the broker's log why")
    user = f" for user {broker.username!r}" if broker.username else ""
    return f"{broker} refuses what is published on {topic}{user} ({name}): {what}"


_REFUSAL_CURES = {
    NOT_AUTHORIZED: "allow it in the broker's access list",
    PACKET_TOO_LARGE: "raise the broker's limit (mosquitto: max_packet_size)",
}


def _untrusted(error: ssl.SSLCertVerificationError, broker: BrokerAddress) -> str:
    said = error.verify_message.rstrip(".")
    if error.verify_code in (NOT_YET_VALID, EXPIRED):
        what = "renew it, or set this device's clock"
    elif error.verify_code in WRONG_HOST:
        what = "mqtt.host must be a name that is in the certificate"
    else:
        what = "mqtt.tls.ca must name the authority that signed it"
    return f"the certificate of {broker} is not trusted ({said}): {what}"


def _not_spoken(error: Exception, broker: BrokerAddress) -> str:
    """What the broker's port does not speak of what was asked; empty where that is not the trouble."""
    if broker.tls and isinstance(error, (ssl.SSLError, ConnectionResetError)):
        what = "check mqtt.port, 8883 is usual with TLS"
        return f"{broker} does not speak TLS as asked ({_word(error)}): {what}"
    if broker.websocket_path and isinstance(error, ConnectionError):
        what = "check mqtt.port and mqtt.websocket_path"
        return f"{broker} does not speak WebSocket at {broker.websocket_path} ({_word(error)}): {what}"
    return ""


def _word(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
