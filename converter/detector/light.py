"""What light, lens and camera do to a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

GREY, BLURRED, NOISY, COMPRESSED, DARK = 0.25, 0.25, 0.3, 0.2, 0.1  # shares of the pictures
MOST_BLUR_PX, MOST_NOISE = 1.3, 12.0
LEAST_QUALITY = 35  # of JPEG

Picture = NDArray[np.uint8]


def relit(pixels: Picture, rng: np.random.Generator) -> Picture:
    """(h, w, 3) uint8 under another light, through another lens, from another camera."""
    grey = np.arange(256, dtype=np.float32)
    gamma = np.exp(rng.normal(0, 0.25))
    contrast, brightness = np.exp(rng.normal(0, 0.2)), rng.normal(0, 18)
    if rng.random() < DARK:
        contrast *= rng.uniform(0.2, 0.6)
        brightness = -10.0
    tint = np.exp(rng.normal(0, 0.07, 3))
    curve = 255 * (grey / 255) ** gamma
    table = np.clip((curve - 128) * contrast + 128 + brightness, 0, 255)
    made = np.asarray(cv2.LUT(pixels, np.clip(table[:, None] * tint, 0, 255).astype(np.uint8)[None]), np.uint8)
    if rng.random() < GREY:
        made = np.asarray(cv2.cvtColor(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    return _taken(made, rng)


def _taken(made: Picture, rng: np.random.Generator) -> Picture:
    """Blur, noise and compression."""
    if rng.random() < BLURRED:
        sigma = rng.uniform(0.3, MOST_BLUR_PX, 2)  # unlike in both directions: a hand that shakes
        made = np.asarray(cv2.GaussianBlur(made, (0, 0), sigma[0], sigmaY=sigma[1]), np.uint8)
    if rng.random() < NOISY:
        noise = rng.standard_normal(made.shape, np.float32) * np.float32(rng.uniform(1, MOST_NOISE))
        made = np.asarray(cv2.add(made, noise, dtype=cv2.CV_8U), np.uint8)
    if rng.random() < COMPRESSED:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(LEAST_QUALITY, 90))]
        made = np.asarray(cv2.imdecode(cv2.imencode(".jpg", made, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return made
