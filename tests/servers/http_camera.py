"""A network camera by HTTP whose answers a test writes byte for byte."""

import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

Answer = Callable[[str, Callable[[bytes], None]], object]


class HttpCamera:
    """Answers each request with what ``answer(request, send)`` sends, and then closes unless that returned True.

    ``request`` is the head of the request as text. `requests` keeps them all.
    """

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.connections = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                with suppress(OSError):
                    while (request := self._request()) and answer(request, self.wfile.write) is True:
                        pass

            def _request(self) -> str:
                lines: list[str] = []
                while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
                    lines.append(line)
                if lines:
                    outer.requests.append("\n".join(lines))
                return "\n".join(lines)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """Quiet: a client that goes away in the middle of a TLS handshake."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, path: str = "/video", login: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{login}127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
