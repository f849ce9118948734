"""Preprocessing: face box to the classifier's pixels, shared by training, evaluation and edge.

    box -> square region (Crop) -> grey -> (height, width) uint8; scaling follows in `interpreter.pixel_table`

Every step returns the same bytes on x86 and Arm. OpenCV's INTER_LINEAR on uint8 does not; INTER_LINEAR_EXACT and
halving by INTER_AREA do, and together take a third of the time of INTER_AREA in one step (docs/vision.md).
"""

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import Box, Image

Grey = NDArray[np.uint8]  # (h, w) uint8, 0 to 255


class Crop(msgspec.Struct, frozen=True):
    """Position of the square crop relative to a detector's box, measured by benchmarks/crop_margin.py."""

    scale: float  # side of the square over the longer side of the box
    dy: float  # offset of its centre below the box's, as a fraction of the box's longer side


class Region(msgspec.Struct, frozen=True):
    """A square of whole pixels; may reach outside the frame."""

    left: int
    top: int
    side: int  # at least 1


def face_region(box: Box, crop: Crop) -> Region:
    """Square crop of ``box``, in the same pixels."""
    longer = max(box.w, box.h)
    side = max(1, round(crop.scale * longer))
    centre_x = box.x + box.w / 2
    centre_y = box.y + box.h / 2 + crop.dy * longer
    return Region(round(centre_x - side / 2), round(centre_y - side / 2), side)


def face_pixels(image: Image, region: Region, height: int, width: int) -> Grey:
    """(height, width) uint8 grey of ``region`` of ``image``, (h, w, 3) BGR or (h, w) grey.

    Outside the image its border pixels are repeated. Only the region is converted to grey: the whole frame, at
    1280x720, would cost as much as the network.
    """
    bottom, right = region.top + region.side, region.left + region.side
    if region.top >= 0 and region.left >= 0 and bottom <= image.shape[0] and right <= image.shape[1]:
        face = image[region.top : bottom, region.left : right]
    else:
        rows = np.clip(np.arange(region.top, bottom), 0, image.shape[0] - 1)
        columns = np.clip(np.arange(region.left, right), 0, image.shape[1] - 1)
        face = image[rows[:, None], columns]
    if face.ndim == 3:  # noqa: PLR2004
        face = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    return resized(face, height, width)


def resized(face: Grey, height: int, width: int) -> Grey:
    """Resize ``face``, a grey crop (FER-2013 is 48x48), to (height, width) uint8; the same array if it fits.

    A face twice as large or more is first halved by area, repeatedly; an odd last row or column is dropped.
    """
    while face.shape[0] >= 2 * height and face.shape[1] >= 2 * width:
        half_height, half_width = face.shape[0] // 2, face.shape[1] // 2
        even = face[: 2 * half_height, : 2 * half_width]
        face = np.asarray(cv2.resize(even, (half_width, half_height), interpolation=cv2.INTER_AREA), np.uint8)
    if face.shape == (height, width):
        return face
    return np.asarray(cv2.resize(face, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def reduced_size(width: int, height: int, wanted_width: int) -> tuple[int, int]:
    """(width, height) of a frame downscaled to ``wanted_width`` with its aspect ratio; smaller ones are kept."""
    if width <= wanted_width:
        return width, height
    return wanted_width, max(1, round(height * wanted_width / width))


def reduced(image: Image, size: tuple[int, int]) -> Image:
    """Downscale ``image`` to ``size`` (width, height).

    INTER_LINEAR: area averaging of a 1280x720 frame costs as much as the detector and does not find more faces.
    """
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
