"""Why a network camera cannot be used, in words that say what to do.

FFmpeg's reason does not pass through OpenCV, so the address is tried once more by hand: name, port, then one request
(RTSP DESCRIBE, RFC 2326; HTTP GET) whose status line tells the rest.
"""

import socket
import ssl
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from fer_edge.capture.address import redact

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
TLS_SCHEMES = ("rtsps", "https")
LIMIT_S = 2.0
HEAD_BYTES = 4096


def why_not(url: str) -> str:
    """One line on why ``url`` gives no pictures and what to do about it. Takes up to three times LIMIT_S."""
    name = redact(url)
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme.lower()]
        host = parts.hostname
    except ValueError:
        host = None
    if not host:
        return f"{name}: not an address: check host and port, and write @ and / of a password as %40 and %2F"
    try:
        return f"{name}: {_meaning(_ask(parts, host, port), has_user=bool(parts.username))}"
    except UnicodeError:  # before any question: no name server can be asked for a name with an empty or too long part
        return f"{name}: no such host: check the name, or give the camera's IP address"
    except OSError as error:
        return f"{name}: {_trouble(error, port)}"


def _trouble(error: OSError, port: int) -> str:
    """What a failed connection means."""
    match error:
        case socket.gaierror():
            return "no such host: check the name, or give the camera's IP address"
        case ConnectionRefusedError():
            return f"refused: nothing listens on port {port} there"
        case TimeoutError():
            return "no answer: is the camera on and in this network?"
        case ssl.SSLError():
            return "the encrypted connection failed: check the certificate, or use the address without the s"
        case _:
            return f"not reachable: {(error.strerror or 'connection lost').lower()}"


def _ask(parts: SplitResult, host: str, port: int) -> str:
    """The head of the camera's answer to one request without credentials; empty where it closes without a word."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    at = f"[{host}]" if ":" in host else host
    if parts.scheme.lower().startswith("rtsp"):
        request = f"DESCRIBE {parts.scheme}://{at}:{port}{path} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    else:
        request = f"GET {path} HTTP/1.0\r\nHost: {at}:{port}\r\nAccept: */*\r\n\r\n"
    with socket.create_connection((host, port), LIMIT_S) as plain:
        if parts.scheme.lower() not in TLS_SCHEMES:
            return _exchange(plain, request)
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secret:
            return _exchange(secret, request)


def _exchange(connection: socket.socket, request: str) -> str:
    connection.sendall(request.encode("utf-8", "replace"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES and (part := connection.recv(HEAD_BYTES)):
        head += part
    return head.decode("latin-1")


def _meaning(head: str, *, has_user: bool) -> str:
    """What the head of an answer says about the stream."""
    words = head.split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else None
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "user or password refused" if has_user else "asks for a user and password: rtsp://user:password@..."
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return "no such stream: check the path; the camera's manual names it"
    if status is None:
        return "what answers there is no camera: check the port"
    if status >= HTTPStatus.BAD_REQUEST:
        return f"the camera answers with error {status}: check the path, or restart the camera"
    content = next((line[13:] for line in head.lower().splitlines() if line.startswith("content-type:")), "").strip()
    if content.startswith("text/"):
        return f"not a video but {content.split(';')[0]}: check the path; the camera's manual names it"
    return "it answers, but sends no picture that can be read"
