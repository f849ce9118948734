"""Photos whose faces are squares of one colour, so that where a face is can be read from the pixels."""

import numpy as np
import pytest

from converter.detector.dataset import Photo

FACE = (20, 20, 230)  # BGR
AROUND = (200, 40, 20)


def painted(height: int = 120, width: int = 160, box: tuple[int, int, int, int] = (60, 30, 100, 70)) -> Photo:
    """A photo of one colour with one face of another; its landmarks are where a face's would be."""
    pixels = np.full((height, width, 3), AROUND, np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = FACE
    part = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75)], np.float32)
    points = part * (right - left, bottom - top) + (left, top)
    nowhere = np.zeros((0, 4), np.float32)
    return Photo(pixels, np.array([box], np.float32), points[None].astype(np.float32), nowhere, "painted")


def empty(height: int = 90, width: int = 110) -> Photo:
    """A photo of one colour, without faces."""
    nowhere = np.zeros((0, 4), np.float32)
    pixels = np.full((height, width, 3), AROUND, np.uint8)
    return Photo(pixels, nowhere, np.zeros((0, 5, 2), np.float32), nowhere, "empty")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
