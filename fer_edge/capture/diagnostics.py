"""Connections to network cameras, and diagnosis of one that fails.

OpenCV does not pass FFmpeg's error on. So an RTSP camera that delivers no frames gets one more request, DESCRIBE (RFC
2326) with the same credentials, and its status line is the diagnosis.
"""

import errno
import http.client
import secrets
import socket
import ssl
import time
from http import HTTPStatus
from typing import NamedTuple

from fer_edge.capture.http_auth import Login, UnknownScheme, login_for
from fer_edge.capture.uri import Address
from fer_edge.terminal import printable

LIMIT_S = 2.0
ADDRESS_LIMIT_S = 4.0  # for each of a name's addresses, so that a dead IPv6 one leaves time for the other
HEAD_BYTES = 4096
SHOWN_CHARACTERS = 60

FINAL = (None, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)

NO_SUCH_STREAM = "no such stream: check the path in the camera's manual"
NO_LOGIN = "needs a user and password: set camera.username and camera.password_file"
REFUSED_LOGIN = "user or password refused"
NO_CAMERA = "not a camera: check the port"


def connect(address: Address, deadline: float) -> socket.socket:
    """Return a connection to the camera, encrypted if its scheme is; ``deadline`` in monotonic seconds.

    The certificate is not verified: few cameras have a verifiable one, and FFmpeg does not verify it either. The
    encryption protects against eavesdropping, not against impersonation. Old ciphers are allowed because old cameras
    support no others.

    Raises:
        OSError, UnicodeError: see `describe_error`.
    """
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    plain = socket.create_connection((address.host, address.port), min(left_s, ADDRESS_LIMIT_S))
    if not address.encrypted:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        return context.wrap_socket(plain, server_hostname=address.host)
    except TimeoutError as error:
        plain.close()
        raise ssl.SSLError(errno.ETIMEDOUT, "TLS handshake timed out") from error
    except BaseException:
        plain.close()
        raise


def describe_error(error: Exception, port: int) -> str:
    """Describe a failed connection or request in one line without control characters."""
    match error:
        case UnicodeError() | socket.gaierror():  # UnicodeError: a name with an empty or too long part
            reason = "no such host: check the name, or give the camera's IP address"
        case ConnectionRefusedError():
            reason = f"refused: nothing listens on port {port} there"
        case TimeoutError():
            reason = "no response: is the camera on and in this network?"
        case ssl.SSLError():
            why = brief(
                (getattr(error, "reason", None) or error.strerror or "no reason given").lower().replace("_", " ")
            )
            reason = f"the encrypted connection failed ({why}): use the address without the s, or the port for https"
        case http.client.BadStatusLine():
            reason = NO_CAMERA
        case OSError():
            reason = f"not reachable: {brief(error.strerror or 'connection lost').lower()}"
        case _:
            reason = f"its response is not HTTP ({type(error).__name__})"
    return reason


def brief(text: str) -> str:
    """Return the beginning of text from a camera, escaped for terminal and journal."""
    shown = printable(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."


class Reason(NamedTuple):
    """Diagnosis of an RTSP camera that delivers no frames."""

    text: str | None
    """Problem and what to do; None if the camera describes its stream."""
    final: bool
    """Another transport would fail for the same reason."""


def diagnose(address: Address) -> Reason:
    """Diagnose an RTSP camera that delivers no frames.

    Takes up to three times LIMIT_S, and ADDRESS_LIMIT_S more for each address of a name.
    """
    try:
        status, challenges = _describe(address, None)
        if status == HTTPStatus.UNAUTHORIZED and address.username:
            login = login_for(challenges, address.username, address.password)
            status, _ = _describe(address, login)
    except UnknownScheme as error:
        return Reason(str(error), final=True)
    except (OSError, UnicodeError) as error:
        return Reason(describe_error(error, address.port), final=True)
    # Other errors may come from the previous attempt, which the camera has not cleaned up yet.
    return Reason(describe_status(status, has_user=bool(address.username)), final=status in FINAL)


def _describe(address: Address, login: Login | None) -> tuple[int | None, list[str]]:
    """Status of the camera's response, None if it is not RTSP, and its authentication challenges."""
    url = address.url()
    request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: fer-edge\r\n"
    if login is not None:
        request += f"Authorization: {login.header('DESCRIBE', url, 1, secrets.token_hex(8))}\r\n"
    deadline = time.monotonic() + 2 * LIMIT_S
    head = b""
    with connect(address, deadline) as connection:
        connection.settimeout(LIMIT_S)
        connection.sendall(f"{request}\r\n".encode("latin-1", "replace"))
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES and time.monotonic() < deadline:
            if not (part := connection.recv(HEAD_BYTES)):
                break
            head += part
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split(None, 2)
    is_rtsp = len(words) > 1 and words[0].startswith("RTSP/") and words[1].isdecimal()
    named = [line.partition(":") for line in lines]
    return int(words[1]) if is_rtsp else None, [v.strip() for k, _, v in named if k.lower() == "www-authenticate"]


def describe_status(status: int | None, *, has_user: bool) -> str | None:
    """Describe the status of a response and what to do; None of one that is fine.

    ``status`` is None if the response is of another protocol.
    """
    known: dict[int | None, str] = {
        None: NO_CAMERA,
        HTTPStatus.UNAUTHORIZED: REFUSED_LOGIN if has_user else NO_LOGIN,
        HTTPStatus.FORBIDDEN: "the camera forbids it (403): check user, password and the user's permissions",
        HTTPStatus.NOT_FOUND: NO_SUCH_STREAM,
        HTTPStatus.GONE: NO_SUCH_STREAM,
    }
    if status is None or status in known:
        return known[status]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status < HTTPStatus.BAD_REQUEST:
        return f"redirects to another address ({status}): use that one"
    return f"the camera returns error {status}: check the path, or restart the camera"
