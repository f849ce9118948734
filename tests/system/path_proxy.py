"""A reverse proxy that serves a page below a path, as `location /fer/ { proxy_pass http://...:N/; }` of nginx does."""

import socket
import threading

HEAD_BYTES = 65_536


class PathProxy:
    """Forwards each request below ``path`` to ``port`` on loopback, without the path; anything else is 404."""

    def __init__(self, port: int, path: str = "/fer/") -> None:
        self._port, self._path = port, path.encode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client:
            data = b""
            while b"\r\n\r\n" not in data:
                more = client.recv(HEAD_BYTES)
                if not more:
                    return
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            method, address, version = first.split(b" ")
            if not address.startswith(self._path):
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            lines = [line for line in lines if line.split(b":")[0].lower() not in (b"host", b"connection")]
            lines += [b"Host: 127.0.0.1:%d" % self._port, b"Connection: close"]
            first = b" ".join((method, b"/" + address.removeprefix(self._path), version))
            with socket.create_connection(("127.0.0.1", self._port)) as page:
                page.sendall(b"\r\n".join((first, *lines, b"", body)))
                threading.Thread(target=_copy, args=(client, page), daemon=True).start()
                _copy(page, client)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(HEAD_BYTES):
            sink.sendall(data)
    except OSError:  # either of the two has left
        return
