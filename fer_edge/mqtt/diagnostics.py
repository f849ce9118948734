"""Error messages about the connection: one line with the cause and the cure. Pure."""

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
    """No connection, or its loss; the message is one line that says what to do.

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
    """Address of the broker and identity of the client, for messages."""

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
    """Describe why no connection was made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, broker)
    if isinstance(error, socket.gaierror):
        return f"the broker's name {broker.host!r} is not known: check mqtt.host and this device's DNS"
    if isinstance(error, ConnectionRefusedError):
        return f"{broker} refuses the connection: is the broker running, and are mqtt.host and mqtt.port right?"
    if isinstance(error, TimeoutError):
        return f"{broker} does not answer: check mqtt.host, the network and firewalls"
    if line := _wrong_protocol(error, broker):
        return line
    return f"no connection to {broker}: {_reason(error)}; check mqtt.host and this device's network"


def refused(code: int, name: str, broker: BrokerAddress) -> str:
    """Describe why the broker rejected CONNECT; ``name`` is the reason code's."""
    if code in (BAD_PASSWORD, NOT_AUTHORIZED):
        who = f"user {broker.username!r}" if broker.username else "connections without a user name"
        return f"{broker} rejects {who} ({name}): check mqtt.username and the password in mqtt.password_file"
    if code == BAD_CLIENT_ID:
        return f"{broker} rejects the client id {broker.client_id!r}: set mqtt.client_id to one that it accepts"
    if code == UNSUPPORTED_PROTOCOL:
        return f"{broker} does not support this version of MQTT: set mqtt.protocol to auto"
    return f"{broker} rejects the connection ({name}): see the broker's log"


def unanswered(broker: BrokerAddress, version: str) -> str:
    """Describe a broker that accepted the connection and sent no CONNACK."""
    # A broker that requires a client certificate sends its alert after the handshake (TLS 1.3) and closes with CONNECT
    # unread: whether the alert or the reset arrives first is a race.
    option = "a client's certificate (mqtt.tls.certificate)" if broker.tls else "mqtt.tls.enabled"
    also = "" if broker.websocket_path else " or mqtt.transport: websocket"
    # A broker without retained messages closes an MQTT 3.1.1 connection whose will is retained, without a CONNACK.
    return (
        f"{broker} does not answer in MQTT {version}: is this an MQTT broker, does it require {option}{also}, or does"
        " it keep no retained messages?"
    )


def malformed(what: str, broker: BrokerAddress) -> str:
    """Describe an answer to CONNECT that is not a CONNACK."""
    return f"{broker} answers with {what}: is this an MQTT broker?"


def ended(code: int, name: str, broker: BrokerAddress) -> str:
    """Describe why the broker sent DISCONNECT (MQTT 5)."""
    if code == SESSION_TAKEN_OVER:
        return (
            f"another client took over the client id {broker.client_id!r} at {broker}: "
            "give each daemon its own device name or mqtt.client_id"
        )
    return f"{broker} ended the link ({name})"


def broken_off(error: str, broker: BrokerAddress) -> str:
    """Describe a link that ended without DISCONNECT; ``error`` is the socket's, empty for a plain end."""
    if "CERTIFICATE_REQUIRED" in error:
        return f"{broker} requires a client certificate: set mqtt.tls.certificate and mqtt.tls.key"
    if "ALERT" in error:  # the broker ended TLS after the handshake (TLS 1.3)
        return f"{broker} does not accept this client's certificate ({error}): check mqtt.tls.certificate"
    if error and not any(one in error for one in _CLOSED_BY_BROKER):
        return f"the link to {broker} broke off ({error})"
    # MQTT 3.1.1 gives no reason when an id is taken over, and mosquitto 2.0.11 none in MQTT 5.
    return f"{broker} closed the connection: it was stopped, or another client uses the client id {broker.client_id!r}"


def gone_silent(broker: BrokerAddress) -> str:
    """Describe an open link on which nothing is received."""
    return f"{broker} does not respond: it hangs, or the network is interrupted"


def too_large(limit: int, broker: BrokerAddress) -> str:
    """Describe why the link was closed before a message was read."""
    return (
        f"{broker} sent a message of more than {limit} bytes, which is neither a request nor an event: disconnected; "
        "find its publisher, and clear it if it is retained"
    )


def subscription_refused(topic: str, name: str, broker: BrokerAddress) -> str:
    """Describe a rejected subscription."""
    return f"{broker} rejects the subscription to {topic} ({name}): allow it in the broker's access list"


def publish_refused(topic: str, code: int, name: str, broker: BrokerAddress) -> str:
    """Describe a rejected message."""
    return f"{trial_refused(topic, code, name, broker)}; it is counted and not sent again"


def trial_refused(topic: str, code: int, name: str, broker: BrokerAddress) -> str:
    """Describe the rejected message of `fer-edge check`."""
    what = _REFUSAL_CURES.get(code, "see the broker's log")
    user = f" for user {broker.username!r}" if broker.username else ""
    return f"{broker} rejects messages on {topic}{user} ({name}): {what}"


_REFUSAL_CURES = {
    NOT_AUTHORIZED: "allow it in the broker's access list",
    PACKET_TOO_LARGE: "raise the broker's limit (mosquitto: max_packet_size)",
}


def _untrusted(error: ssl.SSLCertVerificationError, broker: BrokerAddress) -> str:
    reason = error.verify_message.rstrip(".")
    if error.verify_code in (NOT_YET_VALID, EXPIRED):
        what = "renew it, or set this device's clock"
    elif error.verify_code in WRONG_HOST:
        what = "mqtt.host must be a name that is in the certificate"
    else:
        what = "mqtt.tls.ca must name the authority that signed it"
    return f"the certificate of {broker} is not trusted ({reason}): {what}"


def _wrong_protocol(error: Exception, broker: BrokerAddress) -> str:
    """Describe a port that does not support TLS or WebSocket; empty for other errors."""
    if broker.tls and isinstance(error, (ssl.SSLError, ConnectionResetError)):
        what = "check mqtt.port, 8883 is usual with TLS"
        return f"{broker} does not support TLS with these settings ({_reason(error)}): {what}"
    if broker.websocket_path and isinstance(error, ConnectionError):
        what = "check mqtt.port and mqtt.websocket_path"
        return f"{broker} does not support WebSocket at {broker.websocket_path} ({_reason(error)}): {what}"
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
