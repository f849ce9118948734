"""Truncation of videos in containers without a number of frames."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from fer_edge.video.analyze import reaches_its_end
from tests.films import write_film

PICTURES = [np.full((64, 96, 3), 2 * number, np.uint8) for number in range(100)]


def film_from(begin_s: float, folder: Path) -> Path:
    """Ten seconds in Matroska, which states no number of frames, from ``begin_s`` on."""
    return write_film(folder / "film.mkv", PICTURES, [begin_s + number / 10 for number in range(100)])


def cut(film: Path) -> Path:
    """Cut the file in half."""
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) // 2])
    return film


@pytest.mark.parametrize("begin_s", [0.0, 50.0])
def test_segment_with_its_original_start_time_is_complete_until_it_is_cut(tmp_path: Path, begin_s) -> None:
    film = film_from(begin_s, tmp_path)
    with av.open(str(film)) as container:  # else this tests nothing: it states its end time
        assert container.start_time == begin_s * av.time_base
        assert container.duration == pytest.approx((begin_s + 10.0) * av.time_base, rel=0.01)
    assert reaches_its_end(film)
    assert not reaches_its_end(cut(film))


def test_segment_that_states_its_own_length_is_compared_with_it(tmp_path: Path) -> None:
    film = film_from(50.0, tmp_path)
    with av.open(str(film)) as container:
        stated_ms = container.duration / 1000
    film.write_bytes(film.read_bytes().replace(struct.pack(">d", stated_ms), struct.pack(">d", stated_ms - 50_000)))
    with av.open(str(film)) as container:
        assert container.duration == pytest.approx(10.0 * av.time_base, rel=0.05)
    assert reaches_its_end(film)
    assert not reaches_its_end(cut(film))
