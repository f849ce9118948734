"""FER-2013's faces as photos of nothing but a face, to be put into scenes: thousands of people more."""

import cv2
import numpy as np

from converter.data.faces import Faces
from converter.detector.dataset import Photo

# Where YuNet's box lies in a FER-2013 face, as fractions of its 48 pixels: side over box 1.00, the box's centre 0.03
# lower (docs/vision.md), four fifths as wide as high.
BOX = (0.1, 0.03, 0.9, 1.03)


def heads(faces: Faces) -> list[Photo]:
    """Each face of FER-2013 as a grey photo."""
    nowhere, unknown = np.zeros((0, 4), np.float32), np.full((1, 5, 2), np.nan, np.float32)
    side = faces.images.shape[1]
    box = np.array([BOX], np.float32) * side
    pictures = (np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8) for image in faces.images)
    return [Photo(picture, box, unknown, nowhere, "fer2013") for picture in pictures]
