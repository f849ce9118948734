"""Staged scene instead of a camera: two people enter, move, overlap, change expression and leave.

Each frame is drawn for the time at which it is read, so a slow machine gets fewer frames of the same half minute, as
from a real camera.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import UserError
from fer_edge.types import Image

CANVAS_FACE_PX = 160  # faces are kept at this width
# Cut-out around the face, in face widths: an oval with hair and neck.
OVAL_W, OVAL_H, OVAL_DOWN = 1.15, 1.2, 0.1
FEATHER = 0.12
MOUTH_SPREAD = 0.11  # standard deviation of the bend around each corner, in face widths
WIDTH_PX, HEIGHT_PX = 640, 480
RATE_HZ = 15.0
LENGTH_S = 30.0
MOUTHS = 9  # steps from the lowest to the highest bend; drawn in advance, since one takes 3 ms
BEND_LOW, BEND_HIGH = -0.10, 0.14  # face widths; beyond, the faces are distorted


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Position of the face in its photograph, in pixels, measured by hand."""

    centre: tuple[float, float]
    width: float
    mouth: tuple[tuple[float, float], tuple[float, float]]  # its two corners


HOPPER = Landmarks(centre=(266.0, 230.0), width=178.0, mouth=((230.0, 274.0), (304.0, 272.0)))

COLLINS = Landmarks(centre=(224.0, 120.0), width=92.0, mouth=((204.0, 143.0), (243.0, 144.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """Cut-out with its face in the middle and a mouth that can be bent."""

    face_px: int  # width of the face in `image`
    image: Image  # (h, w, 3) uint8 BGR
    alpha: NDArray[np.float32]  # (h, w) 0 to 1
    mouth: tuple[tuple[float, float], tuple[float, float]]  # pixels of `image`

    def with_mouth(self, bend: float) -> Image:
        """Return the image with the corners of the mouth moved up by ``bend`` face widths, down if negative."""
        height, width = self.alpha.shape
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        spread = 2.0 * (MOUTH_SPREAD * self.face_px) ** 2
        lift = np.zeros_like(xs)
        for x, y in self.mouth:
            lift += np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / spread)
        moved = cv2.remap(self.image, xs, ys + lift * np.float32(bend * self.face_px), cv2.INTER_LINEAR)
        return np.asarray(moved, np.uint8)


def load_portraits() -> tuple[Portrait, Portrait]:
    """Load the portraits of Hopper and Collins.

    Raises:
        UserError: a package of the extra `demo` is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  optional and heavy: only the demo needs them
        import skimage  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"the demo needs an extra: pip install 'fer-edge[demo]' ({error})") from error
    hopper = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    collins = Path(skimage.__file__).parent / "data" / "astronaut.png"
    return _cut_out(hopper, HOPPER), _cut_out(collins, COLLINS)


def _cut_out(path: Path, at: Landmarks) -> Portrait:
    photo = cv2.imread(str(path))
    if photo is None:
        raise UserError(f"{path}: the demo's portrait is missing: reinstall its package")
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
    """Return an alpha mask: 1 inside an ellipse that fills the rectangle, 0 outside, with a soft edge."""
    xs, ys = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray(np.clip((1.0 - np.hypot(xs, ys)) / FEATHER, 0.0, 1.0), np.float32)


@dataclass(frozen=True, slots=True)
class Pose:
    """Position of an actor at a time: centre and width of the face as fractions of the frame."""

    at_s: float
    x: float
    y: float
    width: float
    bend: float  # of the mouth: 0 as in the photograph, -1 lowest, 1 highest


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A portrait and its path; absent before the first pose and after the last."""

    portrait: Portrait
    poses: tuple[Pose, ...]

    def pose(self, at_s: float) -> Pose | None:
        """Return the pose at a time, interpolated between those given."""
        if not self.poses[0].at_s <= at_s < self.poses[-1].at_s:
            return None
        after = next(index for index, pose in enumerate(self.poses) if pose.at_s > at_s)
        a, b = self.poses[after - 1], self.poses[after]
        part = (at_s - a.at_s) / (b.at_s - a.at_s)
        ease = part * part * (3.0 - 2.0 * part)
        return Pose(at_s, *(p + (q - p) * ease for p, q in _pairs(a, b)))


def actors() -> tuple[Actor, Actor]:
    """Return the actors, the rear one first."""
    hopper, collins = load_portraits()
    return (
        Actor(
            hopper,
            (
                Pose(6.0, 1.25, 0.48, 0.17, 0.0),
                Pose(9.0, 0.70, 0.45, 0.19, 0.0),
                Pose(12.0, 0.68, 0.45, 0.19, 0.0),
                Pose(13.5, 0.68, 0.46, 0.19, 1.0),
                Pose(18.0, 0.70, 0.46, 0.20, 1.0),
                Pose(21.0, 0.35, 0.45, 0.20, 0.0),
                Pose(25.0, 0.36, 0.45, 0.20, -0.5),
                Pose(28.0, -0.35, 0.46, 0.20, 0.0),
            ),
        ),
        Actor(
            collins,
            (
                Pose(0.0, -0.10, 0.50, 0.20, 0.0),
                Pose(2.0, 0.30, 0.50, 0.22, 0.0),
                Pose(6.5, 0.32, 0.48, 0.22, 0.0),
                Pose(8.0, 0.32, 0.49, 0.22, -1.0),
                Pose(12.0, 0.33, 0.49, 0.22, -1.0),
                Pose(13.5, 0.33, 0.48, 0.22, 0.5),
                Pose(18.0, 0.30, 0.48, 0.24, 0.5),
                Pose(21.0, 0.72, 0.50, 0.25, 0.0),
                Pose(24.0, 1.30, 0.50, 0.25, 0.0),
            ),
        ),
    )


class Scene:
    """The scene as a source of frames. Owned by the capture thread, like every source."""

    live = False  # it ends; a live source without frames would be reopened
    rate_hz: float | None = RATE_HZ
    format = "staged scene"

    def __init__(
        self,
        length_s: float = LENGTH_S,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._actors = [(actor, _mouths(actor.portrait)) for actor in actors()]
        self._length_s = length_s
        self._clock, self._wait = clock, wait
        self._noise = np.random.default_rng(seed=1)
        self._wall = _wall()
        self._began: float | None = None
        self._next = 0

    def read(self) -> Image | None:
        """Return the next frame when it is due, None at the end. Overdue frames are skipped."""
        now = self._clock()
        if self._began is None:
            self._began = now
        self._next = max(self._next, int((now - self._began) * RATE_HZ))
        at_s = self._next / RATE_HZ
        self._next += 1
        if at_s >= self._length_s:
            return None
        self._wait(max(0.0, self._began + at_s - now))
        return self.draw(at_s)

    def draw(self, at_s: float) -> Image:
        """Draw the frame at ``at_s`` seconds, (480, 640, 3) uint8 BGR, with some sensor noise."""
        frame = self._wall.copy()
        for actor, mouths in self._actors:
            pose = actor.pose(at_s)
            if pose is not None:
                _paste(frame, actor.portrait, mouths, pose)
        cv2.add(frame, self._noise.integers(0, 6, frame.shape, dtype=np.uint8), dst=frame)
        return frame

    def close(self) -> None:
        """Nothing to close."""


def _pairs(a: Pose, b: Pose) -> tuple[tuple[float, float], ...]:
    return (a.x, b.x), (a.y, b.y), (a.width, b.width), (a.bend, b.bend)


def _mouths(portrait: Portrait) -> list[Image]:
    """Return the portrait with each of MOUTHS bends, from the lowest over none (in the middle) to the highest."""
    half = MOUTHS // 2
    steps = (step / half for step in range(-half, half + 1))
    return [portrait.with_mouth(step * (BEND_HIGH if step > 0 else -BEND_LOW)) for step in steps]


def _wall() -> Image:
    """Return the background: light from above, a darker floor."""
    rows = np.linspace(150, 95, HEIGHT_PX)[:, None]
    floor = (np.arange(HEIGHT_PX) > 0.8 * HEIGHT_PX)[:, None] * 30
    grey = np.broadcast_to(rows - floor, (HEIGHT_PX, WIDTH_PX))
    return np.stack([grey, grey * 0.97, grey * 0.92], axis=2).astype(np.uint8)


def _paste(frame: Image, portrait: Portrait, mouths: list[Image], pose: Pose) -> None:
    """Draw the portrait at the pose; changes only the part of the frame that it covers."""
    height, width = portrait.alpha.shape
    scale = pose.width * WIDTH_PX / portrait.face_px
    left, top = pose.x * WIDTH_PX - scale * width / 2, pose.y * HEIGHT_PX - scale * height / 2
    x0, x1 = max(0, int(left)), min(WIDTH_PX, int(left + scale * width) + 1)
    y0, y1 = max(0, int(top)), min(HEIGHT_PX, int(top + scale * height) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    placed = np.array([[scale, 0, left - x0], [0, scale, top - y0]])
    mouth = mouths[round((pose.bend + 1.0) / 2.0 * (MOUTHS - 1))]
    person = cv2.warpAffine(mouth, placed, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    alpha = cv2.warpAffine(portrait.alpha, placed, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    part = frame[y0:y1, x0:x1]
    part[:] = cv2.blendLinear(person, part, alpha, 1.0 - alpha)
