"""A detector's batches, ahead of time: scenes made from photos, and what is to be said of each.

Everything is drawn from (seed, epoch, step), so a run that was interrupted shows, after it is resumed, exactly what it
would have shown.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.detector.dataset import Photo
from converter.detector.light import relit
from converter.detector.paste import cover_faces
from converter.detector.synthesis import Gallery, scene
from converter.detector.targets import targets

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]  # pictures (n, h, w, 3), targets (n, h / 8, w / 8, 6)

MEAN = STD = 128.0  # an input is (pixel - MEAN) / STD: an int8 file is then fed the pixels themselves, less 128
LARGER_EVERY = 6  # each so many steps the pictures have twice the sides, and are a quarter as many


def inputs(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w, 3) uint8 to what a network is fed, float32 from -1 to 1."""
    return (pictures.astype(np.float32) - MEAN) / STD


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """All batches of a run."""

    gallery: Gallery
    heads: list[Photo]
    height: int
    width: int
    batch: int
    steps: int  # batches an epoch
    seed: int

    def made(self, epoch: int, step: int) -> Batch:
        """One batch; every so many are of larger pictures."""
        times = 2 if step % LARGER_EVERY == LARGER_EVERY - 1 else 1
        height, width, count = self.height * times, self.width * times, max(1, self.batch // times**2)
        rng = np.random.default_rng([self.seed, epoch, step])
        pictures = np.empty((count, height, width, 3), np.uint8)
        wanted = []
        for index in range(count):
            one = scene(self.gallery, self.heads, height, width, rng)
            cover_faces(one.pixels, one.faces, one.landmarks, rng)
            pictures[index] = relit(one.pixels, rng)
            wanted.append(targets(one.faces, one.ignored, height, width))
        return inputs(pictures), np.stack(wanted)

    def stream(self, first: int, last: int, workers: int = 1) -> Iterator[Batch]:
        """The batches of the epochs ``first`` to before ``last``, made by ``workers`` threads ahead of their use."""
        with ThreadPoolExecutor(workers, "scenes") as pool:
            ahead: deque[Future[Batch]] = deque()
            for epoch in range(first, last):
                for step in range(self.steps):
                    ahead.append(pool.submit(self.made, epoch, step))
                    if len(ahead) > 2 * workers:
                        yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
