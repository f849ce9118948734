"""A broker of bytes: it answers as MQTT asks, except where a test gives it other bytes."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14

Packet = tuple[int, int, bytes]  # type, flags, what follows the fixed header


class ByteBroker:
    """Fake broker that serves one connection after the other on a free port of loopback; `with` starts and ends it.

    ``connack`` are the properties of MQTT 5's CONNACK; ``subscribed`` is sent after each SUBACK; ``puback`` makes the
    answer to a message from its identifier; ``hangs_up`` is asked of each packet before it is answered.
    """

    def __init__(
        self,
        *,
        connack: bytes = b"",
        subscribed: bytes = b"",
        puback: Callable[[bytes], bytes] = lambda identifier: b"\x40\x02" + identifier,
        suback: Callable[[bytes, int], bytes] | None = None,
        hangs_up: Callable[[Packet], bool] = lambda _packet: False,
    ) -> None:
        self.connections: list[list[Packet]] = []
        self._connack, self._subscribed, self._puback, self._suback = connack, subscribed, puback, suback
        self._hangs_up = hangs_up
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def received(self, kind: int) -> list[Packet]:
        """Every packet of the kind, of all connections."""
        return [packet for connection in list(self.connections) for packet in list(connection) if packet[0] == kind]

    def acknowledged(self) -> list[bytes]:
        """The identifiers in the PUBACKs of the client."""
        return [body[:2] for _, _, body in self.received(4)]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # how it is ended
            while True:
                self._client, _ = self._server.accept()
                self.connections.append([])
                with self._client, contextlib.suppress(OSError, EOFError):
                    self._serve(self._client, self.connections[-1])

    def _serve(self, client: socket.socket, seen: list[Packet]) -> None:
        file = client.makefile("rb")
        level = 0
        while True:
            kind, flags, body = packet = _read(file)
            seen.append(packet)
            if kind == CONNECT:
                level = body[6]
            if self._hangs_up(packet) or kind == DISCONNECT:
                return
            client.sendall(self._answer(kind, flags, body, level))

    def _answer(self, kind: int, flags: int, body: bytes, level: int) -> bytes:
        five = level == 5
        if kind == CONNECT:
            return framed(0x20, b"\0\0" + bytes([len(self._connack)]) + self._connack) if five else b"\x20\x02\0\0"
        if kind == PUBLISH and flags & 6:
            start = 2 + int.from_bytes(body[:2])
            return self._puback(body[start : start + 2])
        if kind == SUBSCRIBE:
            filters = _filters(body[3 + body[2] if five else 2 :])
            codes = b"\1" * filters
            answer = framed(0x90, body[:2] + (b"\0" if five else b"") + codes)
            return (self._suback(body[:2], filters) if self._suback else answer) + self._subscribed
        return b"\xd0\0" if kind == PINGREQ else b""


def framed(head: int, body: bytes) -> bytes:
    """A packet: its first byte, its length, what follows."""
    length, left = b"", len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        length += bytes([digit | 0x80 if left else digit])
        if not left:
            return bytes([head]) + length + body


def publish(
    topic: bytes, payload: bytes, *, properties: bytes | None = b"", identifier: int = 0, retain: bool
) -> bytes:
    """A PUBLISH, of QoS 1 where it has an identifier; of MQTT 3.1.1 without ``properties``."""
    name = len(topic).to_bytes(2) + topic
    of_5 = b"" if properties is None else bytes([len(properties)]) + properties
    return framed(
        0x30 | (2 if identifier else 0) | retain,
        name + (identifier.to_bytes(2) if identifier else b"") + of_5 + payload,
    )


def pair(name: bytes, value: bytes) -> bytes:
    """A user property."""
    return b"\x26" + len(name).to_bytes(2) + name + len(value).to_bytes(2) + value


def _filters(rest: bytes) -> int:
    count = 0
    while rest:
        rest = rest[2 + int.from_bytes(rest[:2]) + 1 :]
        count += 1
    return count


def _read(file) -> Packet:
    head = file.read(1)
    if not head:
        raise EOFError
    length = shift = 0
    while True:
        digit = file.read(1)[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return head[0] >> 4, head[0] & 0xF, file.read(length)
