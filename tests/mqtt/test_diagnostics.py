import socket
import ssl

import pytest

from fer_edge.mqtt import diagnostics
from fer_edge.mqtt.diagnostics import BrokerAddress, BrokerError

BROKER = BrokerAddress("hub.lan", 1883, "cam", "fer_edge-porch", tls=False)
TLS_BROKER = BrokerAddress("hub.lan", 8883, "", "fer_edge-porch", tls=True)


def untrusted(code: int, said: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, said
    return error


@pytest.mark.parametrize(
    ("error", "broker", "line"),
    [
        (socket.gaierror(-2, "Name or service not known"), BROKER, "check mqtt.host and this device's DNS"),
        (ConnectionRefusedError(111, "refused"), BROKER, "is the broker running"),
        (TimeoutError(), BROKER, "hub.lan:1883 does not answer: check mqtt.host, the network and firewalls"),
        (TimeoutError(), TLS_BROKER, "hub.lan:8883 does not answer"),
        (OSError(113, "No route to host"), BROKER, "no connection to hub.lan:1883: No route to host; check"),
        (ConnectionResetError(104, "reset"), TLS_BROKER, "does not support TLS with these settings (reset)"),
        (OSError("\x1b[2J\nreset"), BROKER, r"hub.lan:1883: \x1b[2J\nreset; check"),
        (UnicodeError("label too long"), BROKER, "no connection to hub.lan:1883: label too long"),
        (untrusted(10, "certificate has expired"), TLS_BROKER, "renew it, or set this device's clock"),
        (untrusted(9, "certificate is not yet valid"), TLS_BROKER, "renew it, or set this device's clock"),
        (untrusted(62, "Hostname mismatch."), TLS_BROKER, "(Hostname mismatch): mqtt.host must be a name that"),
        (untrusted(18, "self-signed certificate"), TLS_BROKER, "mqtt.tls.ca must name the authority"),
    ],
)
def test_each_way_not_to_connect_is_one_line_that_says_what_to_do(error, broker, line):
    text = str(BrokerError(diagnostics.unreachable(error, broker)))
    assert line in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (0x86, "rejects user 'cam' (why): check mqtt.username and the password in mqtt.password_file"),
        (0x87, "rejects user 'cam' (why): check mqtt.username"),
        (0x85, "rejects the client id 'fer_edge-porch': set mqtt.client_id"),
        (0x84, "set mqtt.protocol to auto"),
        (0x8A, "rejects the connection (why): see the broker's log"),
    ],
)
def test_each_refusal_names_the_setting_that_cures_it(code, line):
    assert line in diagnostics.refused(code, "why", BROKER)


def test_refusal_without_a_user_name_says_that_there_was_none():
    assert "rejects connections without a user name" in diagnostics.refused(0x87, "Not authorized", TLS_BROKER)


def test_link_that_ends_without_a_word_names_both_causes():
    assert diagnostics.broken_off("", BROKER) == (
        "hub.lan:1883 closed the connection: it was stopped, or another client uses the client id 'fer_edge-porch'"
    )
    assert "No route to host" in diagnostics.broken_off("[Errno 113] No route to host", BROKER)


def test_connection_reset_and_broken_pipe_are_the_same_end_as_an_orderly_close():
    for error in ("[Errno 104] Connection reset by peer", "Broken pipe"):
        assert diagnostics.broken_off(error, BROKER) == diagnostics.broken_off("", BROKER)


def test_alert_after_the_handshake_is_about_our_certificate():
    wanted = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"
    assert "set mqtt.tls.certificate" in diagnostics.broken_off(wanted, TLS_BROKER)
    assert "does not accept this client's certificate" in diagnostics.broken_off(
        "[SSL: TLSV1_ALERT_UNKNOWN_CA]", TLS_BROKER
    )


def test_refused_topic_says_where_it_is_allowed():
    line = diagnostics.publish_refused("a/event", 0x87, "Not authorized", BROKER)
    assert "a/event for user 'cam' (Not authorized): allow it in the broker's access list" in line
    assert "see the broker's log" in diagnostics.publish_refused("a/event", 0x99, "Payload format invalid", BROKER)


def test_address_of_ipv6_stands_in_brackets():
    assert str(BrokerAddress("::1", 1883, "", "", tls=False)) == "[::1]:1883"
    assert str(BROKER) == "hub.lan:1883"
