"""Who may look. Pure: the request's words in, the answer out.

On loopback everybody on the machine may; there the danger is another web page in the same browser, which must neither
reach the daemon under a name of its own (DNS rebinding) nor send it orders. From anywhere else a token is demanded.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping

COOKIE = "fer_edge_preview"
OWN_HEADER = "X-Fer-Edge"  # a foreign page cannot send it without being asked for permission first (CORS)
LEAST_TOKEN_CHARACTERS = 16
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address that is listened on."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def host_is_ours(host: str, token: str | None) -> bool:
    """Whether a request that says it is for ``host`` is; with a token any name will do, the token is the proof."""
    return token is not None or _name(host) in LOOPBACK_NAMES or is_loopback(_name(host).strip("[]"))


def may_look(token: str | None, cookies: Mapping[str, str], authorization: str) -> bool:
    """Whether the request carries the token, as the page's cookie or as `Bearer` of a program."""
    if token is None:
        return True
    shown = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
    return is_token(token, shown) or _same(ticket(token), cookies.get(COOKIE, ""))


def is_token(token: str, shown: str) -> bool:
    """Whether somebody knows the token; takes as long for a near miss as for any other."""
    return _same(token, shown)


def ticket(token: str) -> str:
    """What the browser keeps in place of the token: who reads it may look, but does not learn the token."""
    return hmac.new(token.encode(), b"fer-edge preview", hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _name(host: str) -> str:
    """The name in `name:port`."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
