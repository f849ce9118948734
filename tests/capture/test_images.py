"""Image folders, intact and broken."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.capture.images import MOST_NAMED, ImageFolder, UnreadableImage, natural_key, read_image
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource
from fer_edge.types import Image


@pytest.fixture
def folder(tmp_path: Path, image: Callable[..., Image]) -> Path:
    """Frames 1, 2 and 10 in three formats, and things that are no images."""
    for number, name in ((1, "a1.png"), (2, "A2.jpg"), (10, "a10.BMP")):
        encoded = cv2.imencode(Path(name).suffix.lower(), image(number))[1]
        (tmp_path / name).write_bytes(encoded.tobytes())
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._a1.png").write_bytes(b"what macOS leaves behind")
    (tmp_path / "more").mkdir()
    return tmp_path


def read_all(place: Path, **settings) -> list[tuple[float, Image]]:
    source = ImageFolder(CameraSettings(source=str(place), **settings))
    found = []
    while (image := source.read()) is not None:
        found.append((source.position_s, image))
    source.close()
    return found


def test_images_come_in_the_order_of_their_numbers_at_the_set_pace(folder, number_of) -> None:
    found = read_all(folder, rate_hz=4.0)
    assert [number_of(image) for _, image in found] == [1, 2, 10]
    assert [time for time, _ in found] == [0.0, 0.25, 0.5]


def test_numbers_sort_as_numbers_and_names_without_them_sort_too() -> None:
    names = ["b", "a10", "a9", "A1b", "2", "10", "a", "a09b1"]
    assert sorted(names, key=natural_key) == ["2", "10", "a", "A1b", "a9", "a09b1", "a10", "b"]


def test_broken_image_is_named_once_and_takes_no_time(folder, number_of, caplog, capfd) -> None:
    whole = (folder / "a1.png").read_bytes()
    (folder / "a3.png").write_bytes(whole[: len(whole) // 2])
    (folder / "a4.jpg").write_bytes(b"")
    source = ImageFolder(CameraSettings(source=str(folder), loop=True, rate_hz=10.0))
    found = [(source.read(), source.position_s) for _ in range(7)]
    assert [number_of(image) for image, _ in found if image is not None] == [1, 2, 10, 1, 2, 10, 1]
    assert [time for _, time in found] == pytest.approx([n / 10 for n in range(7)])
    assert [record.getMessage().split(":")[0].split("/")[-1] for record in caplog.records] == ["a3.png", "a4.jpg"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif", ".pgm", ".ppm"])
def test_image_cut_anywhere_is_broken_and_makes_no_noise(tmp_path, capfd, suffix) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 60) if suffix == ".pgm" else (60, 60, 3), np.uint8)
    whole = cv2.imencode(suffix, noise)[1].tobytes()
    path = tmp_path / f"image{suffix}"
    path.write_bytes(whole)
    assert read_image(path).shape == (60, 60, 3)
    for size in (0, 3, 10, 40, len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableImage, match="not a readable image"):
            read_image(path)
    assert capfd.readouterr() == ("", "")


def test_png_with_a_wrong_bit_is_broken_and_makes_no_noise(tmp_path, capfd, image) -> None:
    data = bytearray(cv2.imencode(".png", image(5))[1].tobytes())
    data[len(data) // 2] ^= 0x10
    path = tmp_path / "image.png"
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableImage):
        read_image(path)
    assert capfd.readouterr() == ("", "")


def test_devices_fifos_and_huge_files_are_named_with_the_reason_and_skipped(folder, number_of, caplog) -> None:
    os.mkfifo(folder / "b1.png")
    (folder / "b2.jpg").symlink_to("/dev/zero")
    (folder / "b3.png").symlink_to(folder)
    with (folder / "b4.bmp").open("wb") as file:
        file.truncate(1 << 40)  # a hole of a terabyte
    assert [number_of(image) for _, image in read_all(folder)] == [1, 2, 10]
    reasons = [record.getMessage().split("/")[-1] for record in caplog.records]
    assert reasons == [
        "b1.png: not a regular file; skipped",
        "b2.jpg: not a regular file; skipped",
        "b3.png: is a directory; skipped",
        "b4.bmp: larger than 134217728 bytes; skipped",
    ]


def test_device_or_fifo_in_the_place_of_the_source_is_refused_at_once(tmp_path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("/dev/zero")
    for name in ("a.png", "b.png"):
        with pytest.raises(UnusableSource, match="no readable image among 1"):
            ImageFolder(CameraSettings(source=str(tmp_path / name)))


# With the address space bounded: what is decoded all the same cannot have it. Says what became of each image.
BOUNDED = """\
import logging, resource, sys
logging.basicConfig(format="%(message)s")
from fer_edge.capture.images import ImageFolder
from fer_edge.config.model import CameraSettings
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
source = ImageFolder(CameraSettings(source=sys.argv[1]))
while (image := source.read()) is not None:
    print(image.shape)
"""


def test_image_of_more_pixels_than_a_daemon_has_memory_for_is_never_decoded(tmp_path, image) -> None:
    for number, (width, height) in enumerate([(30_000, 30_000), (8000, 4000), (8000, 4500)]):
        (tmp_path / f"{number}.png").write_bytes(blank_png(width, height))
    (tmp_path / "9.png").write_bytes(cv2.imencode(".png", image(1))[1].tobytes())
    command = [sys.executable, "-c", BOUNDED, str(tmp_path)]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.splitlines() == ["(4000, 8000, 3)", "(64, 96, 3)"]  # the limit is 2**25, 33.6 million
    assert [line.split(":")[0].split("/")[-1] for line in done.stderr.splitlines()] == ["0.png", "2.png"]
    assert "more pixels than are decoded" in done.stderr


def blank_png(width: int, height: int) -> bytes:
    """A whole PNG of one black pixel's colour: small as a file, whatever its size."""
    compress = zlib.compressobj(9)
    rows = b"".join(compress.compress(bytes((width + 7) // 8 + 1)) for _ in range(height)) + compress.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # one bit a pixel
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def test_folder_full_of_broken_images_does_not_fill_the_log(folder, caplog) -> None:
    for number in range(MOST_NAMED + 30):
        (folder / f"b{number}.jpg").write_bytes(b"broken")
    assert len(read_all(folder)) == 3
    assert len(caplog.records) == MOST_NAMED + 1


def test_control_characters_of_a_name_are_written_out(folder, caplog) -> None:
    (folder / "b\x1b[31m\n.jpg").write_bytes(b"broken")
    read_all(folder)
    assert [record.getMessage().split("/")[-1] for record in caplog.records] == [
        "b\\x1b[31m\\n.jpg: not a readable image; skipped"
    ]


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (4, np.uint8), (1, np.uint16), (3, np.uint16)])
def test_grey_transparent_and_deep_images_become_bgr(tmp_path, channels, dtype) -> None:
    shape = (20, 30) if channels == 1 else (20, 30, channels)
    full = np.full(shape, 200 if dtype == np.uint8 else 200 * 257, dtype)
    (tmp_path / "image.png").write_bytes(cv2.imencode(".png", full)[1].tobytes())
    ((_, image),) = read_all(tmp_path)
    assert (image.shape, image.dtype) == ((20, 30, 3), np.uint8)
    assert (image == 200).all()


def test_images_may_differ_in_size(tmp_path, image) -> None:
    for number, size in enumerate([(30, 20), (60, 40)]):
        (tmp_path / f"{number}.png").write_bytes(cv2.imencode(".png", image(1, *size))[1].tobytes())
    assert [image.shape for _, image in read_all(tmp_path, rotate=270)] == [(30, 20, 3), (60, 40, 3)]


def test_one_image_is_a_folder_of_one(folder, number_of) -> None:
    assert [number_of(image) for _, image in read_all(folder / "A2.jpg")] == [2]


def test_folder_without_a_usable_image_is_refused(tmp_path) -> None:
    with pytest.raises(UnusableSource, match="no images in this folder"):
        ImageFolder(CameraSettings(source=str(tmp_path)))
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    with pytest.raises(UnusableSource, match="no readable image among 1"):
        ImageFolder(CameraSettings(source=str(tmp_path)))
    with pytest.raises(UnusableSource, match="no such file or folder"):
        ImageFolder(CameraSettings(source=str(tmp_path / "missing.png")))


@pytest.mark.data
def test_photos_of_the_data_folder_are_read_in_order(data) -> None:
    place = min(path for path in (data / "expressions" / "press").iterdir() if path.is_dir())
    source = ImageFolder(CameraSettings(source=str(place), rate_hz=10.0))
    for step in range(20):
        image = source.read()
        assert image is not None
        assert (image.ndim, image.shape[2], image.dtype) == (3, 3, np.uint8)
        assert source.position_s == pytest.approx(step / 10)
