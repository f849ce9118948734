"""Why a network camera gives no pictures, asked of real sockets."""

import socket
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from fer_edge.capture.reach import why_not


@pytest.fixture
def answering() -> Iterator[Callable[[bytes | None], int]]:
    """Starts a server that gives every caller one answer (None: never any); its port."""
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


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html>"
CASES = [
    ("rtsp", b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", "asks for a user and password"),
    ("rtsp", b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", "no such stream: check the path"),
    ("rtsp", b"RTSP/1.0 454 Session Not Found\r\n\r\n", "answers with error 454"),
    ("http", b"HTTP/1.1 403 Forbidden\r\n\r\n", "asks for a user and password"),
    ("http", b"HTTP/1.0 503 Service Unavailable\r\n\r\n", "answers with error 503"),
    ("http", HTML, "not a video but text/html"),
    ("http", b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", "sends no picture that can be read"),
    ("rtsp", b"SSH-2.0-OpenSSH_9.2\r\n", "no camera: check the port"),
    ("http", b"", "no camera: check the port"),
]


@pytest.mark.parametrize(("scheme", "answer", "words"), CASES)
def test_answer_of_the_camera_is_put_into_words(answering, scheme: str, answer: bytes, words: str) -> None:
    said = why_not(f"{scheme}://127.0.0.1:{answering(answer)}/live")
    assert words in said
    assert "\n" not in said


def test_refused_credentials_are_told_from_missing_ones_and_not_repeated(answering) -> None:
    port = answering(b"RTSP/1.0 401 Unauthorized\r\n\r\n")
    said = why_not(f"rtsp://anna:geheim@127.0.0.1:{port}/live")
    assert said == f"rtsp://***@127.0.0.1:{port}/live: user or password refused"


def test_closed_port_is_refused_and_the_port_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert f"refused: nothing listens on port {port}" in why_not(f"rtsp://127.0.0.1:{port}/live")


def test_camera_that_never_answers_is_not_waited_for_long(answering) -> None:
    assert "no answer" in why_not(f"http://127.0.0.1:{answering(None)}/video")


def test_unknown_host_is_named() -> None:
    assert "no such host" in why_not("rtsp://camera.invalid/live")  # reserved never to exist: RFC 2606


def test_name_that_can_be_no_name_is_an_unknown_host() -> None:
    for host in ("192.168..20", "a" * 64):
        assert "no such host" in why_not(f"rtsp://{host}/live")


def test_plain_port_behind_an_encrypted_address_is_told(answering) -> None:
    assert "encrypted connection failed" in why_not(f"https://127.0.0.1:{answering(b'hello' * 10)}/video")


@pytest.mark.parametrize("url", ["rtsp://", "http:///video", "rtsp://camera:port/x", "rtsp://anna:a/b@camera/x"])
def test_address_that_is_none_is_told_without_repeating_a_password(url: str) -> None:
    said = why_not(url)
    assert "not an address" in said
    assert "a/b" not in said
