"""The form of a camera's address: its scheme, or the number of a Pi camera. Pure."""

import re

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")
PICAMERA = re.compile(r"picamera(?::([0-9]{1,2}))?")
MEANT_PICAMERA = re.compile(r"picamera\s*(:.*|[\s_#-]?[0-9]*)", re.IGNORECASE)


def scheme_of(source: str) -> str | None:
    """`rtsp` of `rtsp://...`, as it is written; None of a device, a file or a folder."""
    found = SCHEME.match(source)
    return None if found is None else found[1]


def picamera_number(source: str) -> int | None:
    """The number of the Pi camera that ``source`` names: 0 of `picamera`, 1 of `picamera:1`; None of anything else."""
    found = PICAMERA.fullmatch(source)
    return None if found is None else int(found[1] or 0)


def picamera_flaw(source: str) -> str | None:
    """The sentence on a source that is no Pi camera and looks like one, such as `picamera1`; else None."""
    if picamera_number(source) is not None or MEANT_PICAMERA.fullmatch(source) is None:
        return None
    return "the Pi's own camera is picamera, the one on its second port picamera:1 (a file of that name is ./NAME)"
