"""Two public-domain portraits that ship inside well-known packages, cut out and able to change their mouths.

Grace Hopper (US Navy photograph, in matplotlib) and Eileen Collins (NASA photograph, in scikit-image).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UserError
from fer_edge.types import Image

CANVAS_FACE_PX = 160  # faces are kept at this width
# What the cut-out shows around the face, in face widths: an oval with the hair and the shoulders' beginning.
OVAL_W, OVAL_H, OVAL_DOWN = 1.15, 1.2, 0.1
FEATHER = 0.12
MOUTH_SPREAD = 0.11  # standard deviation of the bend around each corner, in face widths


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Where the face is in its photograph, in pixels, looked up once by hand."""

    centre: tuple[float, float]
    width: float
    mouth: tuple[tuple[float, float], tuple[float, float]]  # its two corners


HOPPER = Landmarks(centre=(266.0, 230.0), width=178.0, mouth=((230.0, 274.0), (304.0, 272.0)))
COLLINS = Landmarks(centre=(224.0, 120.0), width=92.0, mouth=((204.0, 143.0), (243.0, 144.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A cut-out with its face in the middle, and how its mouth can be bent."""

    face_px: int  # width of the face in `image`
    image: Image  # (h, w, 3) uint8 BGR
    alpha: NDArray[np.float32]  # (h, w) 0 to 1
    mouth: tuple[tuple[float, float], tuple[float, float]]  # pixels of `image`

    def with_mouth(self, bend: float) -> Image:
        """The picture with the corners of the mouth moved up (above 0) or down (below 0) by ``bend`` face widths."""
        height, width = self.alpha.shape
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        spread = 2.0 * (MOUTH_SPREAD * self.face_px) ** 2
        lift = np.zeros_like(xs)
        for x, y in self.mouth:
            lift += np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / spread)
        moved = cv2.remap(self.image, xs, ys + lift * np.float32(bend * self.face_px), cv2.INTER_LINEAR)
        return np.asarray(moved, np.uint8)


def load_portraits() -> tuple[Portrait, Portrait]:
    """Hopper and Collins.

    Raises:
        UserError: a package of the extra `demo` is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  optional and heavy: only the demo needs them
        import skimage  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"the demo needs its extra: pip install 'fer-edge[demo]' ({error})") from error
    hopper = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    collins = Path(skimage.__file__).parent / "data" / "astronaut.png"
    return _cut_out(hopper, HOPPER), _cut_out(collins, COLLINS)


def _cut_out(path: Path, at: Landmarks) -> Portrait:
    photo = cv2.imread(str(path))
    if photo is None:
        raise UserError(f"{path}: the demo's portrait is missing, reinstall its package")
    scale = CANVAS_FACE_PX / at.width
    half_w, half_h = round(OVAL_W * CANVAS_FACE_PX), round(OVAL_H * CANVAS_FACE_PX)
    shift = (half_w - scale * at.centre[0], half_h - OVAL_DOWN * CANVAS_FACE_PX - scale * at.centre[1])
    to_canvas = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    size = (2 * half_w, 2 * half_h)
    image = cv2.warpAffine(photo, to_canvas, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    mouth = tuple((scale * x + shift[0], scale * y + shift[1]) for x, y in at.mouth)
    assert len(mouth) == 2  # noqa: PLR2004
    return Portrait(CANVAS_FACE_PX, np.asarray(image, np.uint8), _oval(size[0], size[1]), mouth)


def _oval(width: int, height: int) -> NDArray[np.float32]:
    """1 inside an ellipse that fills the rectangle, 0 outside, soft at its edge."""
    xs, ys = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray(np.clip((1.0 - np.hypot(xs, ys)) / FEATHER, 0.0, 1.0), np.float32)
