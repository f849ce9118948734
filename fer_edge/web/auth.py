"""Authentication of the page: host names, token, cookie, and rate limit of wrong tokens. No clock, no Flask.

Loopback needs no token. The threat there is another web page in the same browser: it must not reach the daemon under
its own host name (DNS rebinding) nor send requests (CSRF). Any other address requires a token.
"""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from enum import Enum, auto

COOKIE = "fer_edge_preview"
OWN_HEADER = "X-Fer-Edge"  # other origins cannot send it without a CORS preflight
LEAST_TOKEN_CHARACTERS = 16
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
FREE_GUESSES = 5  # wrong tokens of an address before the first wait
MAX_WAIT_S = 30.0  # the wait doubles from one second up to this with each wrong token
FORGET_S = 600.0  # without a wrong token, after which the count of an address is reset
QUIET_S = 10.0  # without a wrong token, after which a burst is logged
MAX_BURST_S = 60.0  # interval of log lines during a burst
MAX_ADDRESSES = 256  # counted at once; beyond, the one with the oldest wrong token is evicted


def is_loopback(address: str) -> bool:
    """Return whether a listening address is reachable from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def host_is_ours(host: str, *, has_token: bool) -> bool:
    """Return whether the page is served under the name ``host``: any with a token, otherwise loopback only."""
    return has_token or _name(host) in LOOPBACK_NAMES or is_loopback(_name(host).strip("[]"))


class AuthResult(Enum):
    """Result of the authentication of one request."""

    OPEN = auto()
    ASK = auto()  # no token was sent
    WRONG = auto()
    WAIT = auto()  # rate limited, token not compared


class Authenticator:
    """Token authentication. Not thread-safe; ``now`` is monotonic seconds.

    The cookie has two parts. The first is derived from the token and stays valid after a restart. The second is derived
    from a random key of this process: its holder is exempt from the rate limit, which a proxy's address shares.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._ticket = _mac(token.encode(), "fer-edge preview")
        self._session = f"{self._ticket}.{_mac(secrets.token_bytes(32), self._ticket)}"
        self._guesses = Guesses()

    @property
    def cookie(self) -> str:
        """The cookie's value. It grants access, but does not reveal the token."""
        return self._session

    def authenticate(self, token: str, cookie: str, address: str, now: float) -> AuthResult:
        """Authenticate a request by its token (`Bearer` or form) or its cookie."""
        if _same(self._session, cookie):
            return AuthResult.OPEN
        if not token and not cookie:
            return AuthResult.ASK
        if self._guesses.wait_s(address, now) > 0.0:
            self._guesses.rejected(address, now)
            return AuthResult.WAIT
        if _same(self._token, token) or _same(self._ticket, cookie.partition(".")[0]):
            return AuthResult.OPEN
        self._guesses.failed(address, now)
        return AuthResult.WRONG

    def wait_s(self, address: str, now: float) -> float:
        """Return the seconds until a token of ``address`` is compared again."""
        return self._guesses.wait_s(address, now)

    def bursts(self, now: float) -> list[tuple[str, int]]:
        """The (address, refused tokens) of each burst that is over or long, once."""
        return self._guesses.bursts(now)


@dataclass(slots=True)
class _Guesser:
    failed: int = 0
    failed_at: float = 0.0
    burst: int = 0  # not logged yet
    burst_began_at: float = 0.0
    rejected_at: float = 0.0


class Guesses:
    """Wrong tokens by address, with exponential backoff. Not thread-safe."""

    def __init__(self) -> None:
        self._by: dict[str, _Guesser] = {}

    def failed(self, address: str, now: float) -> None:
        """Count a wrong token."""
        one = self._by.pop(network(address), None)
        if one is None or now - one.failed_at > FORGET_S:
            one = _Guesser(burst=one.burst if one else 0, burst_began_at=one.burst_began_at if one else now)
        one.failed += 1
        one.failed_at = now
        while len(self._by) >= MAX_ADDRESSES:
            del self._by[next(iter(self._by))]
        self._by[network(address)] = one  # at the end: the latest
        self.rejected(address, now)

    def rejected(self, address: str, now: float) -> None:
        """Count a rejected token, for the log only."""
        one = self._by[network(address)]
        if not one.burst:
            one.burst_began_at = now
        one.burst += 1
        one.rejected_at = now

    def wait_s(self, address: str, now: float) -> float:
        """Return the seconds until another token of ``address`` is compared."""
        one = self._by.get(network(address))
        if one is None or one.failed < FREE_GUESSES:
            return 0.0
        wait_s = min(MAX_WAIT_S, 2.0 ** min(10, one.failed - FREE_GUESSES))
        return max(0.0, one.failed_at + wait_s - now)

    def bursts(self, now: float) -> list[tuple[str, int]]:
        """Return the (address, count) of each burst that ended or is long; each token is counted once."""
        over: list[tuple[str, int]] = []
        for address, one in self._by.items():
            if one.burst and (now - one.rejected_at >= QUIET_S or now - one.burst_began_at >= MAX_BURST_S):
                over.append((address, one.burst))
                one.burst = 0
        return over


def network(address: str) -> str:
    """Return the address, or the /64 of an IPv6 address, which one machine may own."""
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
    """Compare in constant time; lone surrogates are accepted."""
    return hmac.compare_digest(*(hashlib.sha256(text.encode(errors="surrogatepass")).digest() for text in (one, other)))


def _name(host: str) -> str:
    """Return the name in `name:port`."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
