"""Quality filter for faces: a network classifies a black patch as confidently as a face."""

import cv2

from fer_edge.config.model import GateSettings
from fer_edge.types import Box, Quality, RejectReason
from fer_edge.vision.geometry import inside
from fer_edge.vision.preprocess import Grey, resized

SHARPNESS_SIDE_PX = 48  # sharpness is measured at one size, independent of the network


def placement_flaw(box: Box, width: int, height: int, settings: GateSettings) -> RejectReason | None:
    """Reason to reject ``box``, in pixels of a frame of ``width`` and ``height``, by size and position alone."""
    if inside(box, width, height) < settings.min_inside:
        return RejectReason.OUTSIDE
    if box.w < settings.min_width_px:
        return RejectReason.TOO_SMALL
    return None


def quality_of(face: Grey) -> Quality:
    """Measure ``face``, the (h, w) uint8 crop that the network would receive."""
    return Quality(brightness(face), sharpness(face))


def zone_flaw(share: float, settings: GateSettings) -> RejectReason | None:
    """Reason to reject a face of which ``share``, 0 to 1, is masked: `min_inside` applies as at the frame's edge."""
    return RejectReason.MASKED if 1.0 - share < settings.min_inside else None


def pixel_flaw(quality: Quality, settings: GateSettings) -> RejectReason | None:
    """Reason to reject a face of this quality."""
    if quality.brightness < settings.min_brightness:
        return RejectReason.DARK
    if quality.sharpness < settings.min_sharpness:
        return RejectReason.BLURRED
    return None


def brightness(face: Grey) -> float:
    """Mean grey value, 0 to 255."""
    return float(cv2.mean(face)[0])


def sharpness(face: Grey) -> float:
    """Variance of the Laplacian at 48x48 (Pech-Pacheco et al. 2000): decreases with blur, and with contrast squared."""
    face = resized(face, SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(face, cv2.CV_16S))
    return float(deviation[0, 0]) ** 2
