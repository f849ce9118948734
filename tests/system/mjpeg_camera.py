"""A network camera that can be switched off and on again: MJPEG over HTTP, showing the staged scene for ever."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from fer_edge.types import Image

RATE_HZ = 8.0


class MjpegCamera:
    """Serves ``pictures`` in a circle at `url` while it is on."""

    def __init__(self, pictures: list[Image]) -> None:
        self._jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
        self._off = threading.Event()
        self._server = self._listen(0)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def switch_off(self) -> None:
        """All streams end, and nobody answers any more."""
        self._off.set()
        self._server.shutdown()
        self._server.server_close()

    def switch_on(self) -> None:
        self._off.clear()
        self._server = self._listen(self.port)

    def _listen(self, port: int) -> ThreadingHTTPServer:
        jpegs, off = self._jpegs, self._off

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                number = 0
                try:
                    while not off.wait(1 / RATE_HZ):
                        jpeg = jpegs[number % len(jpegs)]
                        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        number += 1
                except ConnectionError:
                    return

            def log_message(self, *_arguments: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server
