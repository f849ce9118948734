"""Films that the tests of this room share."""

from pathlib import Path

import numpy as np
import pytest

from tests.films import scene_pictures, write_film

RATE_HZ = 10.0


def flat_film(path: Path) -> Path:
    """Three grey pictures in 0.2 seconds, with nobody in them."""
    return write_film(path, [np.full((64, 96, 3), 90, np.uint8)] * 3, [0.0, 0.1, 0.2])


@pytest.fixture(scope="session")
def smile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the staged scene in which somebody is there: forty pictures, ten a second."""
    pictures = scene_pictures(12.0, 16.0, RATE_HZ)
    path = tmp_path_factory.mktemp("films") / "smile.mp4"
    return write_film(path, pictures, [number / RATE_HZ for number in range(len(pictures))])
