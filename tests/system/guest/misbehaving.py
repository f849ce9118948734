"""The daemon, with threads that hang or grow as soon as a file says so: what no setting of the product can do."""

import os
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import fer_edge.capture.camera
import fer_edge.capture.sources
import fer_edge.mqtt.link
from fer_edge.__main__ import main
from fer_edge.mqtt.session import Session
from fer_edge.vision.analyzer import FaceAnalyzer

ORDERS = Path(
    "/var/lib/fer-edge/order"
)  # holds `vision`, `camera`, `link` (which hangs then), or `grow` and MB a second
open_source = fer_edge.capture.sources.open_source
grown: list[bytes] = []
LIMIT_S = float(os.environ["LIMIT_S"])  # half a minute and more is right for a device, and long for a test


def ordered() -> tuple[str, int]:
    """The order now, empty where there is none, and its number."""
    word, _, number = (ORDERS.read_text() if ORDERS.is_file() else "").strip().partition(" ")
    return word, int(number or 0)


def hanging(part: str, function: Any) -> Any:
    """``function``, which does not return while ``part`` is ordered to hang."""

    def maybe(*arguments: Any, **named: Any) -> Any:
        while ordered()[0] == part:
            time.sleep(0.1)
        return function(*arguments, **named)

    return maybe


def grow() -> None:
    """Holds more every second, by as many MB as the order says."""
    while True:
        word, megabytes = ordered()
        if word == "grow":
            grown.append(b"x" * (megabytes * 1_000_000))
        time.sleep(1.0)


def open_hanging(settings: Any) -> Any:
    """A source whose reads hang."""
    source = open_source(settings)
    source.read = hanging("camera", source.read)  # type: ignore[method-assign]
    return source


FaceAnalyzer.analyze = hanging("vision", FaceAnalyzer.analyze)  # type: ignore[method-assign]
Session.serve = hanging("link", Session.serve)  # type: ignore[method-assign]
fer_edge.capture.sources.open_source = open_hanging
fer_edge.capture.camera.HANG_S = LIMIT_S
fer_edge.mqtt.link.STEP_LIMIT_S = LIMIT_S
Thread(target=grow, name="grow", daemon=True).start()
sys.argv[0] = "fer-edge"
main()
