"""The small picture on which faces are looked for, and the way back to the frame."""

import cv2
import numpy as np

from fer_edge.types import Image


def reduced_size(width: int, height: int, wanted_width: int) -> tuple[int, int]:
    """(width, height) of a frame reduced to ``wanted_width`` with its aspect kept; a smaller frame stays as it is."""
    if width <= wanted_width:
        return width, height
    return wanted_width, max(1, round(height * wanted_width / width))


def reduced(image: Image, size: tuple[int, int]) -> Image:
    """``image`` at ``size`` (width, height).

    INTER_LINEAR: area averaging of a 1280x720 frame costs as much as the detector and finds no face more.
    """
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
