"""What the setting `camera.source` means, and how it is written where others can read it."""

import re
from enum import Enum
from pathlib import Path

from fer_edge.errors import UnusableSource
from fer_edge.source_scheme import STREAM_SCHEMES, picamera_flaw, picamera_number, scheme_of
from fer_edge.user_path import user_path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")

# Everything up to the last @, because passwords are seen that hold an unescaped @ or /. Rather too much than a leak.
USER_INFO = re.compile(r"(?<=://)\S*@")
QUERY = re.compile(r"(?<=\?)\S+")
# Some recorders take the password in the path: rtsp://host/user=admin_password=secret_channel=1
SECRET_IN_PATH = re.compile(r"((?:pass|pwd|token|secret|key|auth)\w*=)[^\s/&]+", re.IGNORECASE)


class Kind(Enum):
    """The ways to get at frames."""

    V4L2 = "v4l2"
    STREAM = "stream"
    PICAMERA = "picamera"
    VIDEO = "video"
    IMAGES = "images"


def kind_of(source: str | int) -> Kind:
    """What ``source`` is, told by its form; only whether a path is a folder is asked of the disk.

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
        return Kind.IMAGES if _is_images(user_path(text)) else Kind.VIDEO
    if scheme.lower() in STREAM_SCHEMES:
        return Kind.STREAM
    raise UnusableSource(f"{redact(text)}: cameras are reached by rtsp:// or http://, not by {scheme}://")


def device_path(source: str | int) -> str:
    """The /dev path of a V4L2 source given by index or path."""
    text = str(source).strip()
    return f"/dev/video{int(text)}" if text.isdecimal() else text


def redact(text: str) -> str:
    """``text`` with user names, passwords and query values of the URLs in it replaced by ``***``."""
    return SECRET_IN_PATH.sub(r"\1***", QUERY.sub("***", USER_INFO.sub("***@", text)))


def _is_images(path: Path) -> bool:
    """Whether this is a folder or has the name of an image; a path that may not be looked at is neither."""
    try:
        return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES
    except OSError:  # the attempt to open it says why
        return False
