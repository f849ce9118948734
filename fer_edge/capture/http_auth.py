"""HTTP authentication: Basic (RFC 7617) and Digest (RFC 7616, RFC 2617), for HTTP and RTSP. Pure."""

import base64
import hashlib
import re
from dataclasses import dataclass, field

PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
SESSION = "-SESS"


class UnknownScheme(ValueError):  # noqa: N818 - named after the cause
    """None of the offered authentication schemes is supported."""


@dataclass(frozen=True, slots=True)
class Login:
    """User, password and the authentication scheme that the server requires."""

    username: str
    password: str = field(repr=False)
    challenge: dict[str, str] | None = field(repr=False)  # of Digest; None is Basic

    def header(self, method: str, target: str, count: int, client_nonce: str) -> str:
        """Return the value of the header Authorization for one request.

        ``count`` is the number of requests under this challenge, from 1; text is UTF-8 bytes read as Latin-1.
        """
        user, password = _octets(self.username), _octets(self.password)
        if self.challenge is None:
            return "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()
        return _digest(self.challenge, (user, password), (method, target), (f"{count:08x}", client_nonce))


def login_for(challenges: list[str], username: str, password: str) -> Login:
    """Return the login for the most secure scheme among ``challenges``, the values of the headers WWW-Authenticate.

    Digest before Basic: it does not send the password itself.

    Raises:
        UnknownScheme: none of them is Basic or a Digest that this module can compute.
    """
    challenges = [CONTROL.sub(" ", text) for text in challenges]
    for text in challenges:
        found = re.search(r"(?:^|,)\s*Digest\s(.*)", text, re.IGNORECASE)
        challenge: dict[str, str] = {}
        for name, quoted, bare in PARAMETER.findall(found[1] if found else ""):
            challenge.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or bare)
        if found and _algorithm(challenge)[0] in HASHES and _has_auth(challenge):
            return Login(username, password, challenge)
    if any(re.search(r"(?:^|,)\s*Basic\b", text, re.IGNORECASE) for text in challenges):
        return Login(username, password, None)
    raise UnknownScheme("requires authentication that is neither Basic nor Digest with MD5 or SHA-256")


def _digest(
    challenge: dict[str, str], login: tuple[str, str], request: tuple[str, str], nonce_count: tuple[str, str]
) -> str:
    """The response of RFC 7616, 3.4.1; without `qop` that of RFC 2069, which old cameras require."""
    (user, password), (method, target), (count, client_nonce) = login, request, nonce_count
    name, session = _algorithm(challenge)
    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")

    def digest(*parts: str) -> str:
        return HASHES[name](":".join(parts).encode("latin-1", "replace")).hexdigest()

    secret = digest(user, realm, password)
    if session:
        secret = digest(secret, nonce, client_nonce)
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": target}
    bare = {"algorithm": challenge["algorithm"]} if "algorithm" in challenge else {}
    if "qop" in challenge:
        fields["response"] = digest(secret, nonce, count, client_nonce, "auth", digest(method, target))
        fields["cnonce"] = client_nonce
        bare |= {"qop": "auth", "nc": count}
    else:
        fields["response"] = digest(secret, nonce, digest(method, target))
        if session:
            fields["cnonce"] = client_nonce
    if "opaque" in challenge:
        fields["opaque"] = challenge["opaque"]
    quoted = [f'{key}="{_escaped(value)}"' for key, value in fields.items()]
    return "Digest " + ", ".join(quoted + [f"{key}={value}" for key, value in bare.items()])


def _algorithm(challenge: dict[str, str]) -> tuple[str, bool]:
    """Name of the hash, and whether it is the session variant."""
    name = challenge.get("algorithm", "MD5").upper()
    return name.removesuffix(SESSION), name.endswith(SESSION)


def _has_auth(challenge: dict[str, str]) -> bool:
    return "qop" not in challenge or "auth" in re.split(r"[\s,]+", challenge["qop"].lower())


def _octets(text: str) -> str:
    return text.encode().decode("latin-1")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
