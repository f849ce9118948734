"""Source URI: kind and parts of `camera.source`, and its redacted form."""

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import quote, unquote

from fer_edge.config.model import STREAM_SCHEMES, picamera_flaw, picamera_number, scheme_of
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.files import user_path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")
PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
HIDDEN = "***"

AUTHORITY = re.compile(r"(?:(?P<login>.*)@)?(?P<host>\[[0-9a-fA-F:.%]+\]|[\w.-]+)(?::(?P<port>\d{0,5}))?", re.DOTALL)
# A malformed address that could be taken for a file name: `http:/admin:x@h`, `admin:x@h`, `"rtsp://..."`.
ALMOST_ADDRESS = re.compile(r"://|:[^@]*@|^(?:rtsps?|https?):", re.IGNORECASE | re.DOTALL)
# Characters kept in a request path; all others, such as blanks, are percent-encoded.
PATH_CHARACTERS = "/?%:@!$&'()*+,;=~[]-._"
# A path segment that may be shown: no value (`user=admin_password=x`), no possible token.
PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9._-]*")
TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9]{12,}")

NOT_AN_ADDRESS = "not an address: check host and port, and write @ and / of a password as %40 and %2F"


class Kind(Enum):
    """Kinds of sources."""

    V4L2 = "v4l2"
    STREAM = "stream"
    PICAMERA = "picamera"
    VIDEO = "video"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Address:
    """Parsed address of a network camera."""

    scheme: str  # lower case
    host: str  # as in DNS: ASCII, an IPv6 address without brackets
    port: int
    target: str = field(repr=False)  # path and query as requested: begins with /, ASCII, no blanks
    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def encrypted(self) -> bool:
        return self.scheme in ("rtsps", "https")

    @property
    def netloc(self) -> str:
        """Host and port, without the scheme's default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def url(self, *, login: bool = False) -> str:
        """The address as an encoded URL; with ``login`` it contains user and password and must not be shown."""
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if login and self.username else ""
        return f"{self.scheme}://{user}{self.netloc}{self.target}"


def parse_address(source: str) -> Address:
    """Parse the address of a network camera.

    A password may contain characters that a URL must encode: blanks, `#`, `/`.

    Raises:
        SourceError: it is not an address; the message contains no part of it.
    """
    text = source.strip()
    scheme = (scheme_of(text) or "").lower()
    found = _split(text.partition("://")[2]) if scheme in STREAM_SCHEMES and text.isprintable() else None
    if found is None:
        raise SourceError(f"{_hidden(scheme)}: {NOT_AN_ADDRESS}")
    authority, target = found
    try:
        host = authority["host"].strip("[]").encode("idna").decode()
    except UnicodeError:
        raise SourceError(f"{_hidden(scheme)}: no such host: check the name, or give the camera's IP address") from None
    port = int(authority["port"] or PORTS[scheme])
    if not 0 < port < 65536:  # noqa: PLR2004 - TCP's ports
        raise SourceError(f"{_hidden(scheme)}: {NOT_AN_ADDRESS}")
    username, _, password = (authority["login"] or "").partition(":")
    target = quote(target.partition("#")[0], safe=PATH_CHARACTERS)
    target = target if target.startswith("/") else f"/{target}"
    return Address(scheme, host, port, target, unquote(username), unquote(password))


def kind_of(source: str | int) -> Kind:
    """Return the kind of ``source`` by its form; on disk only the existence of a path is checked.

    Raises UnusableSource for an empty source and an unsupported or malformed address.
    """
    text = str(source).strip()
    if not text:
        raise UnusableSource("camera.source is empty: set it to a camera, an address, a video or a folder")
    if text.isdecimal() or text.startswith("/dev/"):
        return Kind.V4L2
    if picamera_number(text) is not None:
        return Kind.PICAMERA
    flaw = picamera_flaw(text)
    if flaw is not None:
        raise UnusableSource(f"{text}: {flaw}")
    scheme = scheme_of(text)
    if scheme is None:
        if _is_malformed_address(text):
            raise UnusableSource(f"{HIDDEN}: {NOT_AN_ADDRESS}; it must begin with rtsp:// or http://")
        return Kind.IMAGES if _is_images(user_path(text)) else Kind.VIDEO
    if scheme.lower() in STREAM_SCHEMES:
        return Kind.STREAM
    raise UnusableSource(f"{_hidden(scheme)}: {scheme}:// is not supported, use rtsp:// or http://")


def device_path(source: str | int) -> str:
    """The /dev path of a V4L2 source given by index or path."""
    text = str(source).strip()
    return f"/dev/video{int(text)}" if text.isdecimal() else text


def redact(source: str) -> str:
    """Return ``source`` without secrets, for logs and messages.

    In an address, user, password, query and every path segment that may be a secret become ``***``. If it cannot be
    parsed, or its password may extend beyond the first @, only the scheme is left. Files and devices are unchanged.
    """
    text = source.strip()
    scheme = scheme_of(text)
    if scheme is None:
        return HIDDEN if _is_malformed_address(text) else source
    found = _split(text.partition("://")[2]) if scheme.lower() in STREAM_SCHEMES and text.isprintable() else None
    if found is None or "@" in found[1]:
        return _hidden(scheme)
    authority, target = found
    path, mark, _ = re.split(r"([?#]|$)", target, maxsplit=1)
    shown = "/".join(each if _is_plain(each) else HIDDEN for each in path.split("/"))
    login = f"{HIDDEN}@" if authority["login"] is not None else ""
    port = f":{authority['port']}" if authority["port"] else ""
    return f"{scheme}://{login}{authority['host']}{port}{shown}{f'?{HIDDEN}' if mark else ''}"


def _split(rest: str) -> tuple[re.Match[str], str] | None:
    """Split what follows `://` into authority and target; None if it is not an address.

    In a URL the authority ends at the first /, ? or #. If that yields no host, or possibly the beginning of a password
    (`joe:12/34@host`), the last @ ends the password.
    """
    strict = re.split(r"(?=[/?#])", rest, maxsplit=1)
    found, target = AUTHORITY.fullmatch(strict[0]), "".join(strict[1:])
    if found and not ("@" in target and found["login"] is None and found["port"]):
        return found, target
    login, at, tail = rest.rpartition("@")
    lenient = re.split(r"(?=[/?#])", tail, maxsplit=1)
    found = AUTHORITY.fullmatch(f"{login}{at}{lenient[0]}")
    return (found, "".join(lenient[1:])) if found and at else None


def _hidden(scheme: str) -> str:
    return f"{scheme}://{HIDDEN}" if scheme else HIDDEN


def _is_plain(segment: str) -> bool:
    return bool(PLAIN_SEGMENT.fullmatch(segment)) and not TOKEN.fullmatch(segment)


def _is_malformed_address(text: str) -> bool:
    """Return whether ``text`` resembles an address and no file has that name."""
    if not ALMOST_ADDRESS.search(text):
        return False
    try:
        return not user_path(text).exists()
    except (OSError, ValueError):
        return True


def _is_images(path: Path) -> bool:
    """Return whether ``path`` is a folder or has an image suffix; False if it is not accessible."""
    try:
        return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES
    except (OSError, ValueError):  # opening it reports the reason; ValueError: a NUL character
        return False
