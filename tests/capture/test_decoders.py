"""Interlaced, still and anamorphic video files."""

import logging
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fer_edge.capture.decoders import square
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource
from fer_edge.types import Image

SIZE = (160, 128)  # width, height


def images(count: int) -> list[Image]:
    """A smooth pattern that moves."""
    noise = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    pattern = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)
    return [np.roll(pattern, 3 * number, 1) for number in range(count)]


def write(
    path: Path, images: list[Image], options: dict[str, str] | None = None, aspect: Fraction | None = None
) -> Path:
    """A film of 20 a second; H.264 where the name ends in .mp4, MPEG-2 in .mpg."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream({".mp4": "libx264", ".mpg": "mpeg2video"}[path.suffix], rate=20, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


INTERLACED = {"flags": "+ildct+ilme"}


def read_all(path: Path, **settings) -> list[tuple[float, Image]]:
    video = VideoFile(CameraSettings(source=str(path), **settings))
    found = []
    while (image := video.read()) is not None:
        found.append((video.position_s, image))
    video.close()
    return found


@pytest.fixture
def no_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which PyAV is not installed."""
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.mark.parametrize("name", ["film.mp4", "film.mpg"])
def test_interlaced_film_gives_its_frames_each_at_its_time(tmp_path: Path, name: str) -> None:
    wanted = images(20)
    found = read_all(write(tmp_path / name, wanted, INTERLACED))
    assert [time for time, _ in found] == pytest.approx([number / 20 for number in range(20)], abs=0.002)
    for (_, image), original in zip(found, wanted, strict=True):
        assert np.abs(image.astype(int) - original).mean() < 12


def test_interlaced_film_begins_again_where_it_loops(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", images(10), INTERLACED)
    video = VideoFile(CameraSettings(source=str(path), loop=True))
    found = [(video.read(), video.position_s) for _ in range(25)]
    video.close()
    assert [time for _, time in found] == pytest.approx([number / 20 for number in range(25)], abs=0.002)
    assert np.array_equal(found[3][0], found[13][0])
    assert not np.array_equal(found[3][0], found[4][0])


def test_film_of_one_frame_alone_is_decoded_by_both_and_is_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", [np.zeros((SIZE[1], SIZE[0], 3), np.uint8)] * 12)
    assert [image.max() for _, image in read_all(path)] == [0] * 12


def test_film_without_any_change_fails_where_there_is_no_second_decoder(tmp_path: Path, no_pyav: None) -> None:
    path = tmp_path / "film.mp4"
    write(path, [np.zeros((SIZE[1], SIZE[0], 3), np.uint8)] * 12)
    with pytest.raises(UnusableSource) as caught:
        read_all(path)
    assert str(caught.value).startswith(f"{path}: all frames are identical; ")
    assert "pip install 'fer-edge[video]'" in str(caught.value)


def test_loop_without_any_change_is_named_once_and_goes_on(tmp_path: Path, no_pyav: None, caplog) -> None:
    path = write(tmp_path / "film.mp4", [np.zeros((SIZE[1], SIZE[0], 3), np.uint8)] * 10)
    video = VideoFile(CameraSettings(source=str(path), loop=True))
    assert all(video.read() is not None for _ in range(45))
    video.close()
    assert [record.getMessage().startswith(f"{path}: all frames are identical") for record in caplog.records] == [True]


def test_black_beginning_dark_rooms_and_ordinary_films_are_no_fault(tmp_path: Path, no_pyav: None, caplog) -> None:
    black = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    noise = np.random.default_rng(2)
    dark = [noise.integers(0, 12, black.shape, np.uint8) for _ in range(20)]
    with caplog.at_level(logging.INFO):
        assert len(read_all(write(tmp_path / "intro.mp4", [black] * 15 + images(5)))) == 20
        assert len(read_all(write(tmp_path / "dark.mp4", dark))) == 20
        assert len(read_all(write(tmp_path / "film.mp4", images(20)))) == 20
    assert not caplog.records


def disc(width: int, height: int, aspect: float) -> Image:
    """A white disc as pixels of this aspect must store it to be shown round."""
    image = np.zeros((height, width, 3), np.uint8)
    axes = (round(0.4 * height / aspect), round(0.4 * height))
    return np.asarray(cv2.ellipse(image, (width // 2, height // 2), axes, 0, 0, 360, (255, 255, 255), -1))


def extent(image: Image) -> tuple[int, int]:
    """Width and height of what is white in it."""
    rows, columns = np.nonzero(image[:, :, 1] > 127)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize(
    ("aspect", "shape"),
    [
        (Fraction(4, 3), (108, 192, 3)),  # HDV
        (Fraction(8, 9), (122, 144, 3)),  # NTSC on a screen of 4:3
        (Fraction(1), (108, 144, 3)),
        (None, (108, 144, 3)),
    ],
)
@pytest.mark.parametrize("options", [{}, INTERLACED], ids=["OpenCV", "PyAV"])
def test_disc_of_pixels_that_are_not_square_comes_out_round(tmp_path, aspect, shape, options) -> None:
    stored = disc(144, 108, float(aspect or 1))
    path = write(tmp_path / "film.mp4", [stored] * 4 + images_of(stored), options, aspect)
    image = read_all(path)[0][1]
    assert image.shape == shape
    assert extent(image)[0] == pytest.approx(extent(image)[1], abs=2)


@pytest.mark.parametrize("options", [{}, INTERLACED], ids=["OpenCV", "PyAV"])
def test_film_that_asks_to_be_turned_is_made_square_before_it_is(tmp_path, options) -> None:
    stored = disc(144, 108, 4 / 3)
    stored[:10, :10] = 255  # upper left
    path = write(tmp_path / "film.mp4", [stored] * 12, options, Fraction(4, 3))
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # as in test_video.py
    clockwise = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 108 << 16, 0, 0x40000000)
    path.write_bytes(data[:at] + clockwise + data[at + len(clockwise) :])
    image = read_all(path)[0][1]
    assert image.shape == (192, 108, 3)
    assert image[:8, -8:].mean() > 250  # clockwise, the upper left comes to the upper right
    image[:20, -20:] = 0
    assert extent(image)[0] == pytest.approx(extent(image)[1], abs=2)


def images_of(image: Image) -> list[Image]:
    return [np.roll(image, number, 0) for number in range(8)]


@pytest.mark.parametrize("aspect", [0.0, 0.001, 1000.0, float("inf"), float("nan")])
def test_aspect_that_no_camera_has_is_left_alone(aspect: float) -> None:
    image = disc(40, 30, 1.0)
    assert square(image, aspect) is image
