"""Authentication of the page: host names, the token, its cookie, and a limit for wrong tokens. No clock, no Flask.

On loopback everybody on the machine may; there the danger is another web page in the same browser, which must neither
reach the daemon under a name of its own (DNS rebinding) nor send it orders. From anywhere else a token is demanded.
"""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from enum import Enum, auto

COOKIE = "fer_edge_preview"
OWN_HEADER = "X-Fer-Edge"  # a foreign page cannot send it without being asked for permission first (CORS)
LEAST_TOKEN_CHARACTERS = 16
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
FREE_GUESSES = 5  # wrong tokens of an address before it has to wait
MAX_WAIT_S = 30.0  # the wait doubles from one second up to this with each wrong token
FORGET_S = 600.0  # without a wrong token, after which an address may guess freely again
QUIET_S = 10.0  # without a wrong token, after which a burst is over and reported
MAX_BURST_S = 60.0  # a burst that goes on is reported so often
MAX_ADDRESSES = 256  # that are remembered; beyond, the one that was wrong longest ago is forgotten


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address that is listened on."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def host_is_ours(host: str, *, has_token: bool) -> bool:
    """Return whether the page answers under the name ``host``: with a token under any, for the token is the proof."""
    return has_token or _name(host) in LOOPBACK_NAMES or is_loopback(_name(host).strip("[]"))


class Verdict(Enum):
    """Result of the authentication of one request."""

    OPEN = auto()
    ASK = auto()  # no token was shown
    WRONG = auto()
    WAIT = auto()  # too many were wrong: not looked at


class Door:
    """Authentication by a token. Not thread-safe; ``now`` is monotonic seconds.

    A browser keeps a cookie of two parts. The first is derived from the token and is good after a restart as well. The
    second is derived from a key of this process: nobody can guess it, so its owner is let in while somebody else's
    wrong tokens, from the same address where a proxy stands between, are being refused.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._ticket = _mac(token.encode(), "fer-edge preview")
        self._session = f"{self._ticket}.{_mac(secrets.token_bytes(32), self._ticket)}"
        self._guesses = Guesses()

    @property
    def cookie(self) -> str:
        """The value for the browser to keep. Its reader may look, but does not learn the token."""
        return self._session

    def judge(self, shown: str, cookie: str, address: str, now: float) -> Verdict:
        """Authenticate a request by the token that it shows, as `Bearer` or in a form, or by its cookie."""
        if _same(self._session, cookie):
            return Verdict.OPEN
        if not shown and not cookie:
            return Verdict.ASK
        if self._guesses.wait_s(address, now) > 0.0:
            self._guesses.refused(address, now)
            return Verdict.WAIT
        if _same(self._token, shown) or _same(self._ticket, cookie.partition(".")[0]):
            return Verdict.OPEN
        self._guesses.failed(address, now)
        return Verdict.WRONG

    def wait_s(self, address: str, now: float) -> float:
        """Seconds for which no token of ``address`` is looked at."""
        return self._guesses.wait_s(address, now)

    def bursts(self, now: float) -> list[tuple[str, int]]:
        """The (address, refused tokens) of each burst that is over or long, once."""
        return self._guesses.bursts(now)


@dataclass(slots=True)
class _Guesser:
    failed: int = 0
    failed_at: float = 0.0
    burst: int = 0  # not reported yet
    burst_began_at: float = 0.0
    refused_at: float = 0.0


class Guesses:
    """Wrong tokens by address, with exponential backoff. Not thread-safe."""

    def __init__(self) -> None:
        self._by: dict[str, _Guesser] = {}

    def failed(self, address: str, now: float) -> None:
        """Note a wrong token."""
        one = self._by.pop(network(address), None)
        if one is None or now - one.failed_at > FORGET_S:
            one = _Guesser(burst=one.burst if one else 0, burst_began_at=one.burst_began_at if one else now)
        one.failed += 1
        one.failed_at = now
        while len(self._by) >= MAX_ADDRESSES:
            del self._by[next(iter(self._by))]
        self._by[network(address)] = one  # at the end: the latest
        self.refused(address, now)

    def refused(self, address: str, now: float) -> None:
        """Note a token that was refused, for the report alone."""
        one = self._by[network(address)]
        if not one.burst:
            one.burst_began_at = now
        one.burst += 1
        one.refused_at = now

    def wait_s(self, address: str, now: float) -> float:
        """Seconds until another token of ``address`` is looked at."""
        one = self._by.get(network(address))
        if one is None or one.failed < FREE_GUESSES:
            return 0.0
        wait_s = min(MAX_WAIT_S, 2.0 ** min(10, one.failed - FREE_GUESSES))
        return max(0.0, one.failed_at + wait_s - now)

    def bursts(self, now: float) -> list[tuple[str, int]]:
        """The (address, count) of each burst that is over or long; each token is counted in one report."""
        over: list[tuple[str, int]] = []
        for address, one in self._by.items():
            if one.burst and (now - one.refused_at >= QUIET_S or now - one.burst_began_at >= MAX_BURST_S):
                over.append((address, one.burst))
                one.burst = 0
        return over


def network(address: str) -> str:
    """The address, or the /64 of an IPv6 address: a single machine has all of it."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    """Compare in a time that depends on neither content; a lone surrogate is only another text."""
    return hmac.compare_digest(*(hashlib.sha256(text.encode(errors="surrogatepass")).digest() for text in (one, other)))


def _name(host: str) -> str:
    """The name in `name:port`."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
