"""Diagnosis of RTSP cameras that deliver no frames, on real sockets."""

import socket
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from fer_edge.capture.diagnostics import brief
from fer_edge.capture.diagnostics import diagnose as why_not_at
from fer_edge.capture.uri import parse_address


def diagnose(url: str) -> str:
    return why_not_at(parse_address(url)).text or "described"


@pytest.fixture
def answering() -> Iterator[Callable[[bytes | None], int]]:
    """Start a server that sends every client one response (None: none); return its port."""
    listeners: list[socket.socket] = []
    held: list[socket.socket] = []

    def start(answer: bytes | None) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if answer is None:
                    held.append(connection)
                    continue
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for each in (*listeners, *held):
        each.close()


CASES = [
    (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "described"),
    (b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", "needs a user and password"),
    (b"RTSP/1.0 403 Forbidden\r\n\r\n", "the camera forbids it (403)"),
    (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", "no such stream: check the path"),
    (b"RTSP/1.0 454 Session Not Found\r\n\r\n", "returns error 454"),
    (b"RTSP/1.0 302 Moved\r\nLocation: rtsp://10.0.0.9/\r\n\r\n", "redirects to another address (302)"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not a camera: check the port"),
    (b"\xff\x00\r\n", "not a camera: check the port"),
    (b"", "not a camera: check the port"),
]


@pytest.mark.parametrize(("answer", "words"), CASES)
def test_response_of_the_camera_is_described(answering, answer: bytes, words: str) -> None:
    said = diagnose(f"rtsp://127.0.0.1:{answering(answer)}/live")
    assert words in said
    assert "\n" not in said


def test_rejected_credentials_are_distinguished_from_missing_ones_and_not_repeated(answering) -> None:
    port = answering(b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
    assert diagnose(f"rtsp://anna:geheim@127.0.0.1:{port}/live") == "user or password refused"
    port = answering(b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\n\r\n")
    assert "requires authentication that is neither Basic nor Digest" in diagnose(
        f"rtsp://anna:geheim@127.0.0.1:{port}/live"
    )


def test_closed_port_is_refused_and_the_port_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert f"refused: nothing listens on port {port}" in diagnose(f"rtsp://127.0.0.1:{port}/live")


def test_camera_that_never_responds_is_not_waited_for_long(answering) -> None:
    assert "no response" in diagnose(f"rtsp://127.0.0.1:{answering(None)}/video")


def test_unknown_host_is_named() -> None:
    assert "no such host" in diagnose("rtsp://camera.invalid/live")  # reserved never to exist: RFC 2606


def test_plain_port_at_an_encrypted_address_is_reported(answering) -> None:
    assert "encrypted connection failed" in diagnose(f"rtsps://127.0.0.1:{answering(b'hello' * 10)}/video")


@pytest.mark.parametrize(("status", "final"), [(401, True), (404, True), (200, False), (461, False), (503, False)])
def test_another_transport_is_worth_a_try_unless_it_would_fail_for_the_same(
    answering, status: int, *, final: bool
) -> None:
    port = answering(b"RTSP/1.0 %d Word\r\n\r\n" % status)
    assert why_not_at(parse_address(f"rtsp://127.0.0.1:{port}/")).final is final


def test_text_from_a_camera_is_shown_without_control_characters() -> None:
    assert brief("video/x\x1b[2J\r\n\u202ey") == "video/x\\x1b[2J\\r\\n\\u202ey"
    assert brief("x" * 500) == "x" * 60 + "..."
