"""Videos that several tests use."""

from pathlib import Path

import numpy as np
import pytest

from tests.films import scene_pictures, write_film

RATE_HZ = 10.0


def flat_film(path: Path) -> Path:
    """Three grey frames in 0.2 s, without a face."""
    return write_film(path, [np.full((64, 96, 3), 90, np.uint8)] * 3, [0.0, 0.1, 0.2])


@pytest.fixture(scope="session")
def smile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the staged scene with faces: 40 frames at 10 fps."""
    pictures = scene_pictures(12.0, 16.0, RATE_HZ)
    path = tmp_path_factory.mktemp("films") / "smile.mp4"
    return write_film(path, pictures, [number / RATE_HZ for number in range(len(pictures))])
