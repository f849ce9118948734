"""Simulated camera view of a person who keeps still: a photo with slight movement and noise.

The expression never changes, so every reported change is wrong.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from fer_edge.types import Frame, Image

WIDTH, HEIGHT = 640, 480
PART = 0.5  # of the frame's size; most faces become 100 to 150 px wide
DRIFT_S = 0.7  # time constant of the movement
SHIFT_PX, TURN_DEG, ZOOM = 5.0, 2.5, 0.02  # standard deviations of place, angle and size
LIGHT = 0.04  # relative standard deviation of the brightness
NOISE = 4.0  # standard deviation of a pixel, grey levels: an indoor webcam


def trembling(photo: Image, rate_hz: float, seconds: float, seed: int) -> Iterator[Frame]:
    """Yield frames (480, 640, 3) uint8 BGR of ``photo``, fitted into them; the same for the same seed."""
    random = np.random.default_rng(seed)
    kept = float(np.exp(-1.0 / rate_hz / DRIFT_S))
    sway = random.standard_normal(5)
    # Noise is expensive: one larger field is drawn once and shifted.
    grain = random.normal(0.0, NOISE, (HEIGHT + 64, WIDTH + 64, 3)).astype(np.int16)
    for number in range(round(seconds * rate_hz)):
        sway = kept * sway + np.sqrt(1.0 - kept**2) * random.standard_normal(5)
        image = _moved(photo, sway)
        top, left = random.integers(0, 64, 2)
        lit = cv2.convertScaleAbs(image, alpha=1.0 + LIGHT * float(sway[4]))
        noisy = cv2.add(lit, grain[top : top + HEIGHT, left : left + WIDTH], dtype=cv2.CV_8U)  # stays within 0 to 255
        yield Frame(np.asarray(noisy, np.uint8), number / rate_hz, number)


def _moved(photo: Image, sway: np.ndarray) -> Image:
    """Return the photo fitted into the frame, shifted, turned and zoomed by ``sway``."""
    height, width = photo.shape[:2]
    fit = PART * min(WIDTH / width, HEIGHT / height)
    zoom = fit * (1 + ZOOM * float(sway[3]))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), TURN_DEG * float(sway[2]), zoom)
    turn[:, 2] += (WIDTH - width) / 2 + SHIFT_PX * sway[0], (HEIGHT - height) / 2 + SHIFT_PX * sway[1]
    moved = cv2.warpAffine(photo, turn, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)
