"""The meaning of the setting `camera.source`, and the form in which it may be shown."""

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
# A wrongly written address, which would pass for a file name: `http:/admin:x@h`, `admin:x@h`, `"rtsp://..."`.
ALMOST_ADDRESS = re.compile(r"://|:[^@]*@|^(?:rtsps?|https?):", re.IGNORECASE | re.DOTALL)
# Characters that a path of a request keeps; all others, blanks among them, are percent-encoded.
PATH_CHARACTERS = "/?%:@!$&'()*+,;=~[]-._"
# A path segment that may be shown: nothing with a value (`user=admin_password=x`), nothing that may be a random token.
PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9._-]*")
TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9]{12,}")

NOT_AN_ADDRESS = "not an address: check host and port, and write @ and / of a password as %40 and %2F"


class Kind(Enum):
    """The ways to get at frames."""

    V4L2 = "v4l2"
    STREAM = "stream"
    PICAMERA = "picamera"
    VIDEO = "video"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a network camera, in its parts."""

    scheme: str  # lower case
    host: str  # as in DNS: ASCII, an IPv6 address without brackets
    port: int
    target: str = field(repr=False)  # path and query as they are requested: begins with /, ASCII, no blanks
    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def encrypted(self) -> bool:
        return self.scheme in ("rtsps", "https")

    @property
    def netloc(self) -> str:
        """Host and port, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def url(self, *, login: bool = False) -> str:
        """The address as a URL that any library parses alike; with user and password where ``login``: never shown."""
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if login and self.username else ""
        return f"{self.scheme}://{user}{self.netloc}{self.target}"


def parse_address(source: str) -> Address:
    """Return the parts of a network camera's address.

    A password is read as it is written, also where it holds characters that a URL would have encoded: blanks, `#`, `/`.

    Raises:
        SourceError: it is no address; the message shows nothing of it.
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
    """Return the kind of ``source``, by its form; the disk is asked only whether a path is there.

    Raises UnusableSource for an empty source and for an address that is none of those supported.
    """
    text = str(source).strip()
    if not text:
        raise UnusableSource("camera.source is empty: name a camera, an address, a video or a folder")
    if text.isdecimal() or text.startswith("/dev/"):
        return Kind.V4L2
    if picamera_number(text) is not None:
        return Kind.PICAMERA
    flaw = picamera_flaw(text)
    if flaw is not None:
        raise UnusableSource(f"{text}: {flaw}")
    scheme = scheme_of(text)
    if scheme is None:
        if _is_misspelt(text):
            raise UnusableSource(f"{HIDDEN}: {NOT_AN_ADDRESS}; it begins with rtsp:// or http://")
        return Kind.IMAGES if _is_images(user_path(text)) else Kind.VIDEO
    if scheme.lower() in STREAM_SCHEMES:
        return Kind.STREAM
    raise UnusableSource(f"{_hidden(scheme)}: cameras are reached by rtsp:// or http://, not by {scheme}://")


def device_path(source: str | int) -> str:
    """The /dev path of a V4L2 source given by index or path."""
    text = str(source).strip()
    return f"/dev/video{int(text)}" if text.isdecimal() else text


def redact(source: str) -> str:
    """Return ``source`` as it may be shown: of an address scheme, host and port, and of its path what is no secret.

    User, password, query and every part of the path that may be one become ``***``; of an address that cannot be
    parsed, or whose password may reach beyond its first @, the scheme alone is left. A file or device is not changed.
    """
    text = source.strip()
    scheme = scheme_of(text)
    if scheme is None:
        return HIDDEN if _is_misspelt(text) else source
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
    """Return host part and the path with its query of what follows `://`; None where it is no address.

    By the rules of URLs the host part ends at the first /, ? or #. Where that gives no host, or where it could be the
    beginning of a password (`joe:12/34@host`), the last @ ends the password.
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


def _is_misspelt(text: str) -> bool:
    """Return whether this looks like an address with a mistake in it, and no file has that name."""
    if not ALMOST_ADDRESS.search(text):
        return False
    try:
        return not user_path(text).exists()
    except (OSError, ValueError):
        return True


def _is_images(path: Path) -> bool:
    """Whether this is a folder or has the name of an image; a path that may not be looked at is neither."""
    try:
        return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES
    except (OSError, ValueError):  # the attempt to open it says why; ValueError: a NUL character
        return False
