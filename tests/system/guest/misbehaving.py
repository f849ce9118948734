"""The daemon, with threads that hang or grow as soon as a file says so: what no setting of the product can do."""

import sys
import time
from pathlib import Path
from typing import Any

import fer_edge.capture.camera
import fer_edge.capture.sources
import fer_edge.deliver.link
from fer_edge.__main__ import main
from fer_edge.deliver.session import Session
from fer_edge.vision.vision import Vision

ORDERS = Path("/var/lib/fer-edge/order")  # holds `vision`, `camera`, `link` (which hangs then) or `grow`
open_source = fer_edge.capture.sources.open_source
grown: list[bytes] = []


def ordered(word: str) -> bool:
    """Whether this is the order now."""
    return ORDERS.is_file() and ORDERS.read_text().strip() == word


def hanging(part: str, function: Any) -> Any:
    """``function``, which does not return while ``part`` is ordered to hang."""

    def maybe(*arguments: Any, **named: Any) -> Any:
        while ordered(part):
            time.sleep(0.1)
        if part == "vision" and ordered("grow"):
            grown.append(b"x" * 20_000_000)
        return function(*arguments, **named)

    return maybe


def open_hanging(settings: Any) -> Any:
    """A source whose reads hang."""
    source = open_source(settings)
    source.read = hanging("camera", source.read)  # type: ignore[method-assign]
    return source


Vision.see = hanging("vision", Vision.see)  # type: ignore[method-assign]
Session.serve = hanging("link", Session.serve)  # type: ignore[method-assign]
fer_edge.capture.sources.open_source = open_hanging
# Half a minute and more is right for a device, and long for a test.
fer_edge.capture.camera.HANG_S = 4.0
fer_edge.deliver.link.STEP_LIMIT_S = 4.0
sys.argv[0] = "fer-edge"
main()
