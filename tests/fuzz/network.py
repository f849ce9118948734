"""Entrances by a socket: the live page, a broker's packets to the daemon and a listener, a camera's answers."""

import contextlib
import socket
import struct
import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace

from fer_edge.capture.sources import open_source
from fer_edge.config.model import CameraSettings, MqttSettings, PreviewSettings
from fer_edge.errors import SourceError, UserError
from fer_edge.mqtt.diagnostics import BrokerError
from fer_edge.subscriber.client import Subscriber
from fer_edge.web.app import WebApp
from fer_edge.web.auth import COOKIE
from fer_edge.web.server import Server
from fer_edge.web.stream import MjpegEncoder
from tests.fuzz.campaign import Entrance, Finding, Parts
from tests.web.conftest import Play

TOKEN = "0123456789abcdef"
TIMEOUT_S = 10.0
PATIENCE_S = 0.2
PASSWORD = "hZq81xWv"  # nothing that a mutation puts into a camera's own words
STREAM_BYTES = 500_000  # more than any page
HONEST = {b"501", b"503", b"505"}  # no such encoding, all seats taken, no such version
IN_FORCE = b'{"smooth_s":0.2,"enter":0.6,"leave":0.4,"dwell_s":0.3,"arrive_s":0.5}'
DRAFT = b'{"smooth_s":0.2,"enter":0.6,"leave":0.4,"dwell_s":0.3,"arrive_s":0.5,"emotions":{"sad":{"enter":0.9}}}'


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Answering:
    """A server that greets each connection with `reply`, whatever it is asked, and hangs up."""

    def __init__(self) -> None:
        self.reply = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listening.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(TIMEOUT_S)
                client.recv(65_536)
                client.sendall(self.reply)
                client.shutdown(socket.SHUT_WR)


@cache
def _page(token: str | None) -> Server:
    """A page with somebody on it; nothing that is saved is kept."""
    stage = Play().show(1.0, "happy").stage
    page = WebApp("kitchen", stage, MjpegEncoder(stage, 10.0, 960), 2, token, lambda _: None)
    server = Server(page.application(), PreviewSettings(port=free_port()))
    server.start()
    return server


def _enter_page(parts: Parts, _folder: Path) -> bool:
    return _asked(_page(None), parts)


def _enter_door(parts: Parts, _folder: Path) -> bool:
    """The same with a token: most are refused without being looked at, as many wrong tokens from one address are."""
    return _asked(_page(TOKEN), parts)


def _asked(server: Server, parts: Parts) -> bool:
    """Ask by the request's first line, its headers and its body; the length is right unless a header gives one."""
    first, headers, body = parts
    if body and b"content-length" not in headers.lower() and b"transfer-encoding" not in headers.lower():
        headers = b"Content-Length: %d\r\n" % len(body) + headers
    request = first + b"\r\n" + headers + b"\r\n" + body
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
        answer = b""
        # A request that is cut off has no answer; the server hangs up on it by itself only after its deadline.
        with contextlib.suppress(ConnectionError, TimeoutError):
            client.sendall(request)
            while (more := client.recv(65_536)) and b"text/event-stream" not in answer and len(answer) < STREAM_BYTES:
                answer += more
    server.check()
    status = answer[9:12]
    if status[:1] == b"5" and status not in HONEST:
        raise Finding(f"answers {answer[:200]!r}")
    return bool(status) and status[:1] in b"23"


def _http(first: bytes, body: bytes = b"", *headers: bytes) -> Parts:
    lines = (b"Host: localhost", b"Connection: close", *headers)
    return (first + b" HTTP/1.1", b"".join(line + b"\r\n" for line in lines), body)


OWN = (b"X-Fer-Edge: page", b"Content-Type: application/json", b"Authorization: Bearer " + TOKEN.encode())
FORM = b"Content-Type: application/x-www-form-urlencoded"
MULTIPART = b"Content-Type: multipart/form-data; boundary=x"
WORDS = (
    b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: websocket\r\n",
    b"Cookie: " + COOKIE.encode() + b"=\xff\r\n",
    b"%00",
    b"%ed%a0%80",
    b"http://[",
    b"//[",
    b"Host: evil.example\r\n",
)


def _requests() -> tuple[Parts, ...]:
    return (
        _http(b"GET /?token=" + TOKEN.encode()),
        _http(b"GET /seats", b"", b"Cookie: " + COOKIE.encode() + b"=x.y", OWN[2]),
        _http(b"GET /static/page.css", b"", b"Range: bytes=0-9", b"If-Modified-Since: Sat, 28 Nov 2026 00:00:00 GMT"),
        _http(b"POST /enter", b"token=" + TOKEN.encode(), FORM),
        _http(
            b"POST /enter",
            b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\nabc\r\n--x--\r\n',
            MULTIPART,
        ),
        _http(b"POST /try", DRAFT, *OWN),
        _http(b"POST /keep", b'{"decide":' + DRAFT + b',"was":' + IN_FORCE + b"}", *OWN),
        _http(b"POST /drop", b'{"revision":0}', *OWN),
        _http(b"POST /zones", b'{"zones":[[[0,0],[0.5,0],[0.5,1]]],"were":[]}', *OWN),
        _http(b"POST /try", b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", *OWN),
    )


PAGE = Entrance("page", _requests, _enter_page, WORDS)
DOOR = Entrance("door", _requests, _enter_door, WORDS)


@cache
def _broker() -> Answering:
    return Answering()


def _enter_broker(parts: Parts, _folder: Path) -> bool:
    """A listener's link, which is paho served by our own loop."""
    server = _broker()
    server.reply = parts[0]
    settings = MqttSettings(host="127.0.0.1", port=server.port, protocol="5")
    heard = 0
    try:
        with Subscriber(settings, "porch", ("fer_edge/porch/event",)) as subscription:
            while True:
                heard += len(list(subscription.receive(0.1)))
    except (BrokerError, UserError):
        return bool(heard)


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def _text(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


CONNACK = _packet(0x20, b"\0\0" + b"\x03\x21\0\x14")  # receive maximum 20
SUBACK = _packet(0x90, b"\0\x01\0\x01")
PROPERTIES = b"\x08" + _text(b"a/b") + b"\x09" + _text(b"1") + b"\x26" + _text(b"key") + _text(b"value")
PUBLISH = _packet(0x30, _text(b"fer_edge/porch/event") + bytes([len(PROPERTIES)]) + PROPERTIES + b'{"id":"x-1"}')
PUBLISH_1 = _packet(0x32, _text(b"fer_edge/porch/event") + b"\0\x07" + b"\0" + b"{}")
BROKER = Entrance(
    "broker",
    lambda: ((CONNACK + SUBACK + PUBLISH + PUBLISH_1,), (CONNACK + SUBACK + PUBLISH_1 + _packet(0xE0, b"\x8b\0"),)),
    _enter_broker,
    ("\ufeff".encode(), b"\x26\0\x01\xff\0\x01\xff", b"\xff\xff\xff\x7f", b"\x0b\xff", b"\x23\0\0"),
)


@cache
def _camera() -> Answering:
    return Answering()


def _enter_camera(parts: Parts, _folder: Path) -> bool:
    server = _camera()
    server.reply = parts[0]
    settings = CameraSettings(source=f"http://joe:{PASSWORD}@127.0.0.1:{server.port}/video")
    pictures = 0
    try:
        source = open_source(replace(settings, stall_s=2.0))
        try:
            while pictures < 3 and source.read() is not None:
                pictures += 1
        finally:
            source.close()
    except SourceError as error:
        if PASSWORD in str(error):
            raise Finding(f"shows the password: {error}") from error
    return pictures > 0


@cache
def _jpeg() -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def _stream(head: bytes) -> Parts:
    jpeg = _jpeg()
    part = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n"
    return (head + 4 * part,)


CAMERA = Entrance(
    "camera",
    lambda: (
        _stream(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n"),
        _stream(
            b'HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary="--x"\r\nConnection: close\r\n\r\n'
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(_jpeg()) + _jpeg(),),
        (b'HTTP/1.1 401 no\r\nWWW-Authenticate: Digest realm="c", nonce="n", qop="auth"\r\nContent-Length: 0\r\n\r\n',),
    ),
    _enter_camera,
    (
        b"HTTP/1.1 302 x\r\nLocation: http://192.0.2.1/\r\n\r\n",
        b"#EXTM3U\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\xff\xd8\xff",
        b"\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03",
        b"Content-Length: -1\r\n",
    ),
)
