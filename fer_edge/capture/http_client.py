"""HTTP client for cameras: repeated GET with authentication, deadlines, and redirects on the same host only.

The standard library's `http.client` parses; this module adds what it lacks: a deadline for a whole step instead of a
timeout for each packet, tolerance for status lines of streaming servers, and a one-line reason for each failure.
"""

import http.client
import io
import re
import secrets
import socket
import time
from http import HTTPStatus
from typing import cast
from urllib.parse import urljoin

from fer_edge.capture.diagnostics import NO_LOGIN, REFUSED_LOGIN, brief, connect, describe_error, describe_status
from fer_edge.capture.http_auth import Login, UnknownScheme, login_for
from fer_edge.capture.uri import Address, parse_address
from fer_edge.errors import SourceError

MAX_REQUESTS = 6  # for one response: redirects and authentication
REDIRECTS = (301, 302, 303, 307, 308)
READ_BYTES = 65536
HEADER = re.compile(rb"[A-Za-z-]+:")  # a server that omits the status line begins with its headers
STATUS_BYTES = 5


class HttpClient:
    """HTTP connection to one camera. Owned by one thread.

    ``name`` is the redacted address, the prefix of every message.
    """

    def __init__(self, address: Address, name: str) -> None:
        self._address = self._target = address
        self._name = name
        self._login: Login | None = None
        self._count = 0  # requests under the current challenge
        self._socket: socket.socket | None = None
        self._bytes: _ResponseBytes | None = None
        self.response: http.client.HTTPResponse | None = None

    @property
    def content_type(self) -> str:
        """Media type of the last response, such as `image/jpeg`, lower case; empty if it has none."""
        kind = self.response.headers.get("Content-Type", "") if self.response else ""
        return kind.partition(";")[0].strip().lower()

    def get(self, deadline: float) -> None:
        """Request the address, until ``deadline`` in monotonic seconds; `read` then returns the body.

        Raises:
            SourceError: the request failed; one line with the reason.
        """
        try:
            self._get(deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise SourceError(f"{self._name}: {describe_error(error, self._target.port)}") from error
        except SourceError:
            self.close()
            raise

    def read(self, deadline: float) -> bytes:
        """Return the received part of the body, at most READ_BYTES; empty at its end and after `close`.

        Raises:
            TimeoutError: nothing arrived before ``deadline``.
            OSError, http.client.HTTPException, ValueError: the connection was lost, or the response violates HTTP.
        """
        if self.response is None or self._bytes is None:
            return b""
        self._bytes.deadline = deadline
        return self.response.read1(READ_BYTES)

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._bytes = None

    def _get(self, deadline: float) -> None:
        last = self.response
        if last is None or last.will_close or not (last.isclosed() or last.length == 0):
            self.close()
        kept = self._socket is not None
        for _ in range(MAX_REQUESTS):
            try:
                response = self._exchange(deadline)
            except (ConnectionError, http.client.BadStatusLine):
                self.close()
                if not kept:  # otherwise the camera closed a kept-alive connection
                    raise
                kept = False
                continue
            kept = False
            if response.status == HTTPStatus.OK:
                self.response = response
                return
            if response.status == HTTPStatus.UNAUTHORIZED:
                self._log_in(response.headers.get_all("WWW-Authenticate") or [])
            elif response.status in REDIRECTS:
                self._target = self._redirected(response.headers.get("Location") or "")
            else:
                reason = describe_status(response.status, has_user=bool(self._address.username))
                raise SourceError(f"{self._name}: {reason or f'returns status {response.status}: check the path'}")
            self.close()
        raise SourceError(f"{self._name}: too many redirects: check the path")

    def _exchange(self, deadline: float) -> http.client.HTTPResponse:
        """Send one request and read the head of its response."""
        if self._socket is None:
            self._socket = connect(self._target, deadline)
        target = self._target
        lines = [f"GET {target.target} HTTP/1.1", f"Host: {target.netloc}", "User-Agent: fer-edge", "Accept: */*"]
        if self._login is not None:
            self._count += 1
            value = self._login.header("GET", target.target, self._count, secrets.token_hex(8))
            lines.append(f"Authorization: {value}")
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        self._bytes = _ResponseBytes(self._socket, deadline)
        # HTTPResponse uses only `makefile`.
        response = http.client.HTTPResponse(cast("socket.socket", self._bytes), method="GET")
        response.begin()
        return response

    def _log_in(self, challenges: list[str]) -> None:
        """Prepare the authentication of the next request; raises SourceError if there is none or it was rejected."""
        username = self._address.username
        if not username:
            raise SourceError(f"{self._name}: {NO_LOGIN}")
        if self._login is not None and self._count == 1:  # later on, the nonce may have expired
            raise SourceError(f"{self._name}: {REFUSED_LOGIN}")
        try:
            self._login = login_for(challenges, username, self._address.password)
        except UnknownScheme as error:
            raise SourceError(f"{self._name}: {error}") from None
        self._count = 0

    def _redirected(self, location: str) -> Address:
        """Target of a redirect; raises SourceError if that is another host, or drops encryption."""
        try:
            to = parse_address(urljoin(self._target.url(), location))
        except SourceError:
            raise SourceError(f"{self._name}: redirects to an invalid address") from None
        if to.scheme not in ("http", "https") or to.host.lower() != self._target.host.lower():
            where = brief(f"{to.scheme}://{to.netloc}")
            raise SourceError(f"{self._name}: redirects to another host, {where}: use that one if it is the camera")
        if self._target.encrypted and not to.encrypted:
            raise SourceError(f"{self._name}: redirects from https to http, which would send the password in clear")
        return to


class _ResponseBytes(io.RawIOBase):
    """Bytes of one response, until a deadline; a non-standard status line is corrected."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._socket = connection
        self._head: bytes | None = None  # read for the status line and not returned yet
        self.deadline = deadline  # monotonic seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, READ_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head is None:
            self._head = self._status_line()
        if self._head:
            count = min(len(self._head), len(buffer))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        return self._receive(buffer)

    def _status_line(self) -> bytes:
        """The first bytes, corrected: `ICY 200 OK` and a missing status line are accepted."""
        head, part = b"", bytearray(READ_BYTES)
        while len(head) < STATUS_BYTES and (count := self._receive(memoryview(part))):
            head += part[:count]
        if head.startswith(b"ICY "):
            return b"HTTP/1.0 " + head[4:]
        return b"HTTP/1.0 200 OK\r\n" + head if HEADER.match(head) else head

    def _receive(self, buffer: memoryview) -> int:
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        return self._socket.recv_into(buffer)
