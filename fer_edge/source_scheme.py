"""The scheme that a camera's address begins with. Pure."""

import re

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")


def scheme_of(source: str) -> str | None:
    """`rtsp` of `rtsp://...`, as it is written; None of a device, a file or a folder."""
    found = SCHEME.match(source)
    return None if found is None else found[1]
