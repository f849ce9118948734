"""Measured size and rate of a source, for `fer-edge check`."""

import time
from collections.abc import Callable

from fer_edge.capture.network import check_login
from fer_edge.capture.sources import Source, open_source
from fer_edge.capture.uri import Kind, device_path, kind_of, redact
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.types import Image

WARM_UP_S = 0.7  # streams begin with a burst of buffered frames, webcams with a pause for auto exposure
MEASURE_S = 1.5


def probe(
    settings: CameraSettings,
    opener: Callable[[CameraSettings], Source] = open_source,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """One line such as `640x480 at 15.0 fps from /dev/video0 (MJPG)`; takes about 2 s for a camera.

    The rate of a live source is measured, because cameras often state a wrong one. Raises SourceError with what to do.
    """
    text = str(settings.source)
    kind = kind_of(text)
    name = device_path(text) if kind is Kind.V4L2 else redact(text)
    if kind is Kind.STREAM:
        check_login(settings)
    source = opener(settings)
    try:
        image = source.read()
        if image is None:
            hint = ": is another program using it?" if kind is Kind.V4L2 else ""
            raise SourceError(f"{name}: it opens but delivers no frames{hint}")
        rate_hz = _measure(source, clock) if source.live else source.rate_hz
        return f"{_size(image)} at {_rate(rate_hz)} from {name} ({source.format})"
    finally:
        source.close()


def _measure(source: Source, clock: Callable[[], float]) -> float | None:
    """Measured frames per second of a live source; None if it stops."""
    begin = clock()
    counted, first_at, now = 0, begin, begin
    while now < begin + WARM_UP_S + MEASURE_S:
        if source.read() is None:
            return None
        now = clock()
        if now < begin + WARM_UP_S:
            first_at = now
        else:
            counted += 1
    return counted / (now - first_at)


def _size(image: Image) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _rate(rate_hz: float | None) -> str:
    return "unknown rate" if rate_hz is None else f"{rate_hz:.1f} fps"
