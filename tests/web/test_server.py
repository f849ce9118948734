"""Address, limits and robustness of the page's server."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest
from waitress.task import ErrorTask

from fer_edge.config.model import PreviewSettings
from fer_edge.errors import SettingsError, UserError
from fer_edge.web.connections import Channel
from fer_edge.web.server import Server, read_token

TIMEOUT_S = 30.0  # a bound for a machine that is busy; nothing is measured
MANY = 300  # connections


def test_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}: address already in use; set preview"):
            Server(flask.Flask("x"), PreviewSettings(port=port))


def test_address_that_is_not_this_machine_s_is_said_in_one_line() -> None:
    for address in ("192.0.2.1", "no such name"):
        with pytest.raises(UserError, match="cannot listen on") as caught:
            Server(flask.Flask("x"), PreviewSettings(address=address))
        assert "\n" not in str(caught.value)


def test_loopback_needs_no_token_and_every_other_address_does(tmp_path: Path) -> None:
    assert read_token(PreviewSettings()) is None
    for address in ("0.0.0.0", "::", "192.168.1.5"):
        with pytest.raises(SettingsError, match=r"set preview\.token_file"):
            read_token(PreviewSettings(address=address))
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\nmore\n")
    assert read_token(PreviewSettings(address="0.0.0.0", token_file=str(path))) == "0123456789abcdef"
    assert read_token(PreviewSettings(token_file=str(path))) == "0123456789abcdef"


def test_token_is_found_below_the_home_folder_and_read_by_the_rule_for_secrets(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbf 0123456789abcdef \r\n")
    assert read_token(PreviewSettings(token_file="~/token")) == "0123456789abcdef"
    with pytest.raises(SettingsError, match=r"^preview\.token_file: cannot read /dev/zero: not a regular file$"):
        read_token(PreviewSettings(token_file="/dev/zero"))


@pytest.mark.parametrize("content", [None, b"", b"short\n", b"\xff\xfe\xff\xfe" * 10])
def test_token_file_that_is_missing_or_holds_what_can_be_guessed_is_refused(tmp_path: Path, content) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"preview\.token_file") as caught:
        read_token(PreviewSettings(token_file=str(path)))
    assert "\n" not in str(caught.value)


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Gives `serve(request_s)`: the port of a server with a page and an endless stream."""
    servers: list[Server] = []
    ended = threading.Event()

    def start(request_s: int = 10) -> int:
        app = flask.Flask("x")
        app.add_url_rule("/", "page", lambda: "page", methods=["GET", "POST"])
        app.add_url_rule("/stream", "stream", lambda: flask.Response(stream()))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        servers.append(Server(app, PreviewSettings(port=port), request_s))
        servers[-1].start()
        return port

    def stream() -> Iterator[bytes]:
        while not ended.wait(0.05):
            yield b"."

    yield start
    ended.set()
    for server in servers:
        server.check()
        server.stop()


def connected(port: int, sent: bytes = b"") -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    one.sendall(sent)
    return one


def status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", "/")
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nx"]
)
def test_hundreds_of_half_open_connections_keep_nobody_out_and_streams_go_on(serve, sent) -> None:
    port = serve(request_s=600)
    stream = connected(port, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stream.recv(4096).startswith(b"HTTP/1.1 200")
    half_open = [connected(port, sent) for _ in range(MANY)]
    assert status(port) == 200
    assert half_open[0].recv(1) == b""  # the one that waited longest was closed
    for _ in range(5):
        assert stream.recv(4096)
    for one in (stream, *half_open):
        one.close()


def test_request_that_comes_byte_by_byte_is_hung_up_on_and_one_that_is_answered_is_not(serve) -> None:
    port = serve(request_s=1)
    stream = connected(port, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    slow = connected(port, b"GET / HTTP/1.1\r\n")
    while stream.recv(4096):  # twenty times a second
        try:
            slow.sendall(b"x")
        except OSError:  # the server has closed it
            break
    assert stream.recv(4096)
    stream.close()
    slow.close()


MALFORMED = [
    b"\r\n\r\nx\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\n\r\n",
    b"GET //[ HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
]


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda sent: repr(sent[:40]))
def test_malformed_request_is_answered_as_such_and_no_exception_is_logged(serve, caplog, sent) -> None:
    port = serve()
    caplog.set_level("DEBUG", "waitress")
    client = connected(port, sent)
    client.shutdown(socket.SHUT_WR)
    answer = b"".join(iter(lambda: client.recv(4096), b""))
    client.close()
    assert not answer.startswith(b"HTTP/1.1 5") or b"501 Not Implemented" in answer
    assert status(port) == 200
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_client_that_disconnects_before_a_malformed_request_is_answered_is_not_logged_as_an_exception(caplog) -> None:
    class GoneTask(ErrorTask):  # type: ignore[misc]
        def execute(self) -> None:
            self.channel.connected = False
            super().execute()

    class GoneChannel(Channel):
        error_task_class = GoneTask

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = Server(flask.Flask("x"), PreviewSettings(port=port))
    server._server.channel_class = GoneChannel
    caplog.set_level("INFO", "waitress")
    server.start()
    client = connected(port, b"GET\r\n\r\n")
    assert client.recv(4096) == b""
    client.close()
    server.stop()
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("waitress")]
    assert any(message.startswith("Client disconnected") for message in messages)
    assert not any("xception" in message for message in messages)


def test_end_of_the_server_s_thread_reaches_the_main_loop(serve) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = Server(flask.Flask("x"), PreviewSettings(port=port))
    server.check()
    server._server._map.clear()  # what it serves is gone: its loop has nothing to do
    server.start()
    server._thread.join(TIMEOUT_S)
    with pytest.raises(RuntimeError, match="stopped unexpectedly"):
        server.check()
    server.stop()
