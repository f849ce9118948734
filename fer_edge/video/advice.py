"""What to change where a video gave nothing, or next to nothing, and what to know of zones: which settings it was."""

from fer_edge.config.model import Settings
from fer_edge.types import Outcome
from fer_edge.video.statistics import Report

SMALLEST = 12  # detect.width over the narrowest face that is found surely (docs/detector.md)
REFUSED = {
    Outcome.TOO_SMALL: "too small (gates.min_width_px: {gates.min_width_px:g})",
    Outcome.DARK: "too dark (gates.min_brightness: {gates.min_brightness:g})",
    Outcome.BLURRED: "too blurred (gates.min_sharpness: {gates.min_sharpness:g})",
    Outcome.OUTSIDE: "cut off by the picture's edge (gates.min_inside: {gates.min_inside:g})",
    Outcome.MASKED: "behind privacy.zones",
}


def caution(settings: Settings) -> str | None:
    """One line where the zones were drawn on a picture that was turned, which that of a file is not."""
    if not (settings.privacy.zones and settings.camera.rotate):
        return None
    return "privacy.zones lie on the picture as it is in the file: camera.rotate does not turn saved videos"


def advice(report: Report, settings: Settings) -> str | None:
    """One line where no face was found in any frame, or where most could not be read; None where neither is so."""
    seen = sum(report.outcomes.values())
    if not report.frames:
        return None
    if not seen:
        width = settings.detect.width
        return f"no face was found. Are they small? detect.width {width} misses those below 1/{SMALLEST} of the picture"
    refused = {outcome: report.outcomes.get(outcome.value, 0) for outcome in REFUSED}
    worst = max(refused, key=lambda outcome: refused[outcome])
    if sum(refused.values()) <= seen / 2:
        return None
    why = REFUSED[worst].format(gates=settings.gates)
    were = "was" if refused[worst] == 1 else "were"
    return f"most faces were not read: {refused[worst]} of {seen}, counted in each frame, {were} {why}"
