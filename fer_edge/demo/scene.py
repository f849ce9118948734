"""A staged scene as a camera would see it: two people enter, move, pass before each other, change and leave.

It is drawn at run time, frame by frame, at the time the frame is asked for, so a slow machine sees fewer frames of the
same half minute, as with a real camera.
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
# What the cut-out shows around the face, in face widths: an oval with the hair and the shoulders' beginning.
OVAL_W, OVAL_H, OVAL_DOWN = 1.15, 1.2, 0.1
FEATHER = 0.12
MOUTH_SPREAD = 0.11  # standard deviation of the bend around each corner, in face widths
WIDTH_PX, HEIGHT_PX = 640, 480
RATE_HZ = 15.0
LENGTH_S = 30.0
MOUTHS = 9  # steps from the lowest to the highest bend; drawn once, because a bend costs 3 ms
BEND_LOW, BEND_HIGH = -0.10, 0.14  # face widths; beyond, the faces stop looking like faces


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


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an actor is at a moment: the face's centre as fractions of the picture, its width as well."""

    at_s: float
    x: float
    y: float
    width: float
    bend: float  # 0 is the photograph's own mouth, -1 the lowest, 1 the highest


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A portrait with its way through the scene; before the first pose and after the last it is not there."""

    portrait: Portrait
    poses: tuple[Pose, ...]

    def pose(self, at_s: float) -> Pose | None:
        """The pose at a moment, smoothly between those given."""
        if not self.poses[0].at_s <= at_s < self.poses[-1].at_s:
            return None
        after = next(index for index, pose in enumerate(self.poses) if pose.at_s > at_s)
        a, b = self.poses[after - 1], self.poses[after]
        part = (at_s - a.at_s) / (b.at_s - a.at_s)
        ease = part * part * (3.0 - 2.0 * part)
        return Pose(at_s, *(p + (q - p) * ease for p, q in _pairs(a, b)))


def actors() -> tuple[Actor, Actor]:
    """The cast, the one behind first."""
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
    """The staged scene as a source of frames. Owned by the capture thread, like every source."""

    live = False  # it has an end; a live source that gives nothing more would be opened anew for ever
    rate_hz: float | None = RATE_HZ
    format = "staged scene"

    def __init__(
        self,
        length_s: float = LENGTH_S,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._cast = [(actor, _mouths(actor.portrait)) for actor in actors()]
        self._length_s = length_s
        self._clock, self._wait = clock, wait
        self._noise = np.random.default_rng(seed=1)
        self._wall = _wall()
        self._began: float | None = None
        self._next = 0

    def read(self) -> Image | None:
        """The next picture when it is due; None when the scene is over. Pictures that are overdue are left out."""
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
        """The picture ``at_s`` seconds into the scene, (480, 640, 3) uint8 BGR, with a little of a sensor's noise."""
        picture = self._wall.copy()
        for actor, mouths in self._cast:
            pose = actor.pose(at_s)
            if pose is not None:
                _paste(picture, actor.portrait, mouths, pose)
        cv2.add(picture, self._noise.integers(0, 6, picture.shape, dtype=np.uint8), dst=picture)
        return picture

    def close(self) -> None:
        """Nothing is held open."""


def _pairs(a: Pose, b: Pose) -> tuple[tuple[float, float], ...]:
    return (a.x, b.x), (a.y, b.y), (a.width, b.width), (a.bend, b.bend)


def _mouths(portrait: Portrait) -> list[Image]:
    """The portrait with each of MOUTHS bends, from the lowest over none (exactly in the middle) to the highest."""
    half = MOUTHS // 2
    steps = (step / half for step in range(-half, half + 1))
    return [portrait.with_mouth(step * (BEND_HIGH if step > 0 else -BEND_LOW)) for step in steps]


def _wall() -> Image:
    """A plain room: light from above, a darker floor."""
    rows = np.linspace(150, 95, HEIGHT_PX)[:, None]
    floor = (np.arange(HEIGHT_PX) > 0.8 * HEIGHT_PX)[:, None] * 30
    grey = np.broadcast_to(rows - floor, (HEIGHT_PX, WIDTH_PX))
    return np.stack([grey, grey * 0.97, grey * 0.92], axis=2).astype(np.uint8)


def _paste(picture: Image, portrait: Portrait, mouths: list[Image], pose: Pose) -> None:
    """Draws the portrait over the picture so that its face is where the pose says. Touches only the part it covers."""
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
    part = picture[y0:y1, x0:x1]
    part[:] = cv2.blendLinear(person, part, alpha, 1.0 - alpha)
