"""The one form that all pictures have after this room: BGR, 8 bits, the right way up."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Image

CLOCKWISE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
CHANNELS_BGR = 3
CHANNELS_BGRA = 4


def upright(picture: NDArray[Any], rotate: int) -> Image:
    """``picture`` as (h, w, 3) uint8 BGR, turned clockwise by ``rotate`` degrees (0, 90, 180 or 270).

    Grey becomes three equal channels, alpha is dropped, 16 bits become their upper 8. What is right already is
    returned as it is, not copied.
    """
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    image: Image = picture.astype(np.uint8, copy=False)
    channels = 1 if image.ndim == 2 else image.shape[2]  # noqa: PLR2004 - (h, w) is grey
    if channels == 1:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    elif channels == CHANNELS_BGRA:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), np.uint8)
    return np.asarray(cv2.rotate(image, CLOCKWISE[rotate]), np.uint8) if rotate else image
