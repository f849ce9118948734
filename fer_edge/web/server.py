"""HTTP server of the page (waitress in its own thread), and `Preview`, the page as the daemon uses it."""

import logging
import math
import socket
from collections.abc import Callable, Mapping
from threading import Thread
from typing import TYPE_CHECKING, Any

from fer_edge.config.model import PreviewSettings, Settings
from fer_edge.errors import SettingsError, UserError, os_reason
from fer_edge.files import user_path
from fer_edge.untrusted import read_secret
from fer_edge.web.auth import LEAST_TOKEN_CHARACTERS, is_loopback
from fer_edge.web.live_state import LiveState
from fer_edge.web.stream import MjpegEncoder

if TYPE_CHECKING:
    from flask import Flask

logger = logging.getLogger(__name__)

SPARE_THREADS = 4  # for short requests, beside two streams for each viewer
# Send buffer of a slow viewer: about two frames. Waitress's default of 16 MB would delay the stream by a minute.
UNSENT_BYTES = 128 * 1024
SEND_BUFFER_BYTES = 64 * 1024  # the kernel's share
REQUEST_S = 10  # deadline of a complete request, counted from the connection's last response
CLEANUP_S = 1  # interval of the deadline check
MAX_HEADER_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024  # of any request; the app's own limit is smaller and has a JSON error
UNANSWERED_MS = 15_000  # unacknowledged data closes the connection of a suspended viewer
STOP_S = 0.7  # each for the streams and the server; the daemon stops within 4 s


class Server:
    """WSGI server. `start` and `stop` are called by the main thread.

    Raises:
        UserError: the address or port cannot be bound.
    """

    def __init__(self, application: "Flask", settings: PreviewSettings, request_s: int = REQUEST_S) -> None:
        from waitress.server import create_server  # noqa: PLC0415  the extra

        from fer_edge.web import connections  # noqa: PLC0415  imports waitress

        # INFO repeats the address, WARNING reports short queues: both are noise.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        place = f"{settings.address}:{settings.port}"
        try:
            listening = _listening(settings.address, settings.port)
        except OSError as error:
            reason = os_reason(error)
            raise UserError(f"preview: cannot listen on {place}: {reason}; set preview.port to another") from error
        self._listening = listening
        self._server: Any = create_server(
            application,
            sockets=[listening],
            threads=2 * settings.watchers + SPARE_THREADS,
            channel_request_lookahead=1,  # detects a closed connection between two frames
            # Backstop: an evicted connection is closed one turn of the loop later.
            connection_limit=2 * (connections.MAX_WAITING + 2 * settings.watchers),
            channel_timeout=request_s,
            cleanup_interval=CLEANUP_S,
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=MAX_BODY_BYTES,
            asyncore_use_poll=True,  # select() raises ValueError from the 1,024th descriptor on
            outbuf_high_watermark=UNSENT_BYTES,
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._server.channel_class = connections.Channel
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._guarded, name="preview-server", daemon=True)
        self.port: int = listening.getsockname()[1]
        host = f"[{settings.address}]" if ":" in settings.address else settings.address
        self.url = f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Start serving."""
        self._thread.start()
        logger.info("preview: %s", self.url)

    def check(self) -> None:
        """Raise the exception that ended the server's thread, if there is one."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop the server after the streams, which were stopped before."""
        self._stopping = True
        # Responses still in progress are cut off; waitress's error about it is suppressed.
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=STOP_S)
        logging.getLogger("waitress").setLevel(logging.CRITICAL + 1)
        self._server.close()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _guarded(self) -> None:
        """Run the thread, and keep the exception that ends it for `check`. The loop also ends without descriptors."""
        try:
            self._server.run()
            if not self._stopping:
                raise RuntimeError("the preview's server stopped unexpectedly")  # noqa: TRY301
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._failure = None if self._stopping else error


def read_token(settings: PreviewSettings) -> str | None:
    """Read the access token, None where none is required.

    Raises:
        SettingsError: it is missing or too short.
    """
    if not settings.token_file:
        if not is_loopback(settings.address):
            raise SettingsError(
                f"preview.address {settings.address} is reachable from other machines: set preview.token_file"
            )
        return None
    token = read_secret(user_path(settings.token_file), "preview.token_file")
    if len(token) < LEAST_TOKEN_CHARACTERS:
        raise SettingsError(
            f"preview.token_file: the first line of {settings.token_file} must be a token of at least "
            f"{LEAST_TOKEN_CHARACTERS} characters (openssl rand -hex 16 makes one)"
        )
    return token


def _listening(address: str, port: int) -> socket.socket:
    """Return a listening socket whose connections are closed when sent data stays unacknowledged."""
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
        listening.bind(place)
    except OSError:
        listening.close()
        raise
    return listening


class Preview:
    """Live page with encoder and server. Owned by the main thread.

    Raises:
        UserError: the extra is not installed, the port is in use, or the token is missing.
    """

    def __init__(self, settings: Settings, device: str, submit: Callable[[Mapping[str, Any]], None]) -> None:
        try:
            from fer_edge.web.app import WebApp  # noqa: PLC0415  Flask is optional
        except ImportError as error:
            raise UserError(f"the preview needs its extra: pip install 'fer-edge[preview]' ({error})") from error
        own: PreviewSettings = settings.preview
        token = read_token(own)
        self.stage = LiveState(settings.decide, settings.track.lost_s, own.minutes)
        self._pictures = MjpegEncoder(self.stage, own.rate_hz, own.width)
        self._page = WebApp(
            device,
            self.stage,
            self._pictures,
            own.watchers,
            token,
            submit,
        )
        self._server = Server(self._page.application(), own)
        self.url = self._server.url

    def start(self) -> None:
        """Start serving."""
        self._pictures.start()
        self._server.start()

    def check(self, now: float) -> None:
        """Raise the exception that ended one of the threads, if there is one; and log rejected tokens."""
        self._pictures.check()
        self._server.check()
        self._log_rejected(now)

    def stop(self) -> None:
        """Stop all streams and the server."""
        self._page.close()
        self._pictures.stop()
        self.stage.wake()
        self._server.stop()
        self._log_rejected(math.inf)

    @property
    def encoded(self) -> int:
        """Number of frames encoded since the start."""
        return self._pictures.encoded

    def _log_rejected(self, now: float) -> None:
        for address, count in self._page.rejected(now):
            logger.warning("preview: rejected %d wrong token%s from %s", count, "s" if count > 1 else "", address)
