"""Connections to network cameras, and the reason why one fails, in words that say what to do.

FFmpeg's reason does not pass through OpenCV, so an RTSP camera that gives no pictures is asked once more: RTSP DESCRIBE
(RFC 2326) with the same user and password, whose status line tells the rest.
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

NO_SUCH_STREAM = "no such stream: check the path; the camera's manual names it"
NO_LOGIN = "asks for a user and password: camera.username and camera.password_file"
REFUSED_LOGIN = "user or password refused"
NO_CAMERA = "what answers there is no camera: check the port"


def connect(address: Address, deadline: float) -> socket.socket:
    """Return a connection to the camera, encrypted where its scheme is; ``deadline`` in monotonic seconds.

    The certificate is not verified: hardly a camera has one that could be, and FFmpeg does not verify it either. The
    encryption keeps listeners out, not somebody who takes the camera's place. Old ciphers are allowed for the same
    reason: old cameras have no others.

    Raises:
        OSError, UnicodeError: see `trouble`.
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
        raise ssl.SSLError(errno.ETIMEDOUT, "no answer in TLS") from error
    except BaseException:
        plain.close()
        raise


def trouble(error: Exception, port: int) -> str:
    """Return what a failed connection or request means; one line without control characters."""
    match error:
        case UnicodeError() | socket.gaierror():  # UnicodeError: a name with an empty or too long part
            reason = "no such host: check the name, or give the camera's IP address"
        case ConnectionRefusedError():
            reason = f"refused: nothing listens on port {port} there"
        case TimeoutError():
            reason = "no answer: is the camera on and in this network?"
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
            reason = f"its answer is not HTTP ({type(error).__name__})"
    return reason


def brief(text: str) -> str:
    """Return the beginning of a camera's own words, as any terminal and journal may show it."""
    shown = printable(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."


class Reason(NamedTuple):
    """Why an RTSP camera gives no pictures."""

    text: str | None
    """What is wrong and what to do; None where the camera describes its stream."""
    final: bool
    """Another transport would fail for the same reason."""


def diagnose(address: Address) -> Reason:
    """Ask an RTSP camera why it gives no pictures.

    Takes up to three times LIMIT_S, and ADDRESS_LIMIT_S more for each address of a name.
    """
    try:
        status, offers = _describe(address, None)
        if status == HTTPStatus.UNAUTHORIZED and address.username:
            login = login_for(offers, address.username, address.password)
            status, _ = _describe(address, login)
    except UnknownScheme as error:
        return Reason(str(error), final=True)
    except (OSError, UnicodeError) as error:
        return Reason(trouble(error, address.port), final=True)
    # Other errors may be of the attempt before, which the camera has not cleared away yet.
    return Reason(meaning(status, has_user=bool(address.username)), final=status in FINAL)


def _describe(address: Address, login: Login | None) -> tuple[int | None, list[str]]:
    """The status of the camera's answer, None where it is not RTSP's, and the ways to log in that it offers."""
    url = address.url()
    request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: fer-edge\r\n"
    if login is not None:
        request += f"Authorization: {login.header('DESCRIBE', url, 1, secrets.token_hex(8))}\r\n"
    deadline = time.monotonic() + 2 * LIMIT_S
    head = b""
    with connect(address, deadline) as wire:
        wire.settimeout(LIMIT_S)
        wire.sendall(f"{request}\r\n".encode("latin-1", "replace"))
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES and time.monotonic() < deadline:
            if not (part := wire.recv(HEAD_BYTES)):
                break
            head += part
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split(None, 2)
    is_rtsp = len(words) > 1 and words[0].startswith("RTSP/") and words[1].isdecimal()
    named = [line.partition(":") for line in lines]
    return int(words[1]) if is_rtsp else None, [v.strip() for k, _, v in named if k.lower() == "www-authenticate"]


def meaning(status: int | None, *, has_user: bool) -> str | None:
    """Return what the status of an answer says of the camera, and what to do; None of one that is fine.

    ``status`` is None where the answer is of another protocol.
    """
    known: dict[int | None, str] = {
        None: NO_CAMERA,
        HTTPStatus.UNAUTHORIZED: REFUSED_LOGIN if has_user else NO_LOGIN,
        HTTPStatus.FORBIDDEN: "the camera forbids it (403): check user, password, and what that user may see",
        HTTPStatus.NOT_FOUND: NO_SUCH_STREAM,
        HTTPStatus.GONE: NO_SUCH_STREAM,
    }
    if status is None or status in known:
        return known[status]
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status < HTTPStatus.BAD_REQUEST:
        return f"redirects to another address ({status}): name that one"
    return f"the camera answers with error {status}: check the path, or restart the camera"
