"""Connection limiter of the page's server: deadline of a request, eviction, and a parser without foreign exceptions.

Waitress alone counts each received byte as activity and stops accepting at its limit: a few hundred half-open
connections lock everybody out. Here a request has a deadline, counted from the connection's last response, and a new
connection over the limit evicts the oldest waiting one of the address with the most. A connection with a response in
progress, such as a stream, is never closed here.
"""

import socket
from collections import Counter
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

MAX_WAITING = 64  # connections without a complete request, over all addresses


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """Request parser that answers 400 to every malformed head."""

    path = ""  # waitress logs it when a client disconnects, and sets it only after a well-formed head

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head of a request.

        Raises:
            ParsingError: also for ValueError, raised by Python for a `Content-Length` of 5,000 digits and for `http://[`;
                waitress would log a traceback and close the connection.
        """
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("The head of the request is malformed.") from error


class Channel(HTTPChannel):  # type: ignore[misc]
    """Connection with a deadline for each request. Owned by the server's thread."""

    parser_class = Parser
    last_activity: float = 0.0

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002
        super().__init__(server, sock, addr, adj, map=map)
        waiting = [one for one in server.active_channels.values() if not one.requests and not one.will_close]
        if len(waiting) > MAX_WAITING:
            victim = _victim(waiting, newest=self)
            victim.will_close = True  # closed in the next turn of the server's loop

    def handle_read(self) -> None:
        """Receive data; only a complete request counts as activity."""
        before = self.last_activity
        super().handle_read()
        if not self.requests:
            self.last_activity = before


def _victim(waiting: list[Channel], newest: Channel) -> Channel:
    """Return the longest waiting connection of the address with the most; never the newest."""
    count = Counter(one.addr[0] for one in waiting)
    return min((one for one in waiting if one is not newest), key=lambda one: (-count[one.addr[0]], one.last_activity))
