"""Films that the tests of this room share."""

from pathlib import Path

import pytest

from tests.films import scene_pictures, write_film

RATE_HZ = 10.0


@pytest.fixture(scope="session")
def smile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the staged scene in which somebody is there: forty pictures, ten a second."""
    pictures = scene_pictures(12.0, 16.0, RATE_HZ)
    path = tmp_path_factory.mktemp("films") / "smile.mp4"
    return write_film(path, pictures, [number / RATE_HZ for number in range(len(pictures))])
