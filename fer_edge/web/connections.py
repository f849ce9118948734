"""Connection limiter of the page's server: deadline of a request, eviction, and a parser without foreign exceptions.

Waitress alone counts each received byte as activity and stops accepting at its limit, so that a few hundred half-open
connections keep everybody out. Here a request has a deadline from its connection's last answer on, and a new
connection over the limit evicts the oldest waiting one of the address that holds the most. A connection whose request
is being answered, such as a stream, is never closed here.
"""

import socket
from collections import Counter
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

MAX_WAITING = 64  # connections without a whole request, of all addresses together


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """Answers 400 to whatever head cannot be parsed."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request's head.

        Raises:
            ParsingError: for ValueError as well, which Python raises for a `Content-Length` of 5,000 digits and for
                `http://[`; waitress would log it with its traceback and hang up.
        """
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("The head of the request is malformed.") from error


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection with a deadline for each request. The server's thread owns it."""

    parser_class = Parser
    last_activity: float = 0.0

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002
        super().__init__(server, sock, addr, adj, map=map)
        waiting = [one for one in server.active_channels.values() if not one.requests and not one.will_close]
        if len(waiting) > MAX_WAITING:
            victim = _victim(waiting, newest=self)
            victim.will_close = True  # closed when the server's loop comes by

    def handle_read(self) -> None:
        """Receive; only a whole request counts as activity."""
        before = self.last_activity
        super().handle_read()
        if not self.requests:
            self.last_activity = before


def _victim(waiting: list[Channel], newest: Channel) -> Channel:
    """The connection that waits longest, of the address that has the most waiting; never the newest."""
    count = Counter(one.addr[0] for one in waiting)
    return min((one for one in waiting if one is not newest), key=lambda one: (-count[one.addr[0]], one.last_activity))
