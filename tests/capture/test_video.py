"""Video files, made here with OpenCV, and those of the data folder."""

import os
import struct
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.capture.sources import open_source
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource
from fer_edge.types import Image


def read_all(path: Path, **settings) -> list[tuple[float, Image]]:
    video = VideoFile(CameraSettings(source=str(path), **settings))
    found = []
    while (image := video.read()) is not None:
        found.append((video.position_s, image))
    video.close()
    return found


def test_every_frame_comes_once_in_order_at_its_time(film, number_of) -> None:
    found = read_all(film)
    assert [number_of(image) for _, image in found] == list(range(10))
    assert [time for time, _ in found] == pytest.approx([n / 10 for n in range(10)])


def test_uneven_times_are_kept(uneven_film, number_of) -> None:
    path, times = uneven_film
    found = read_all(path)
    assert [time for time, _ in found] == pytest.approx(times)
    assert [number_of(image) for _, image in found] == list(range(5))


def test_frames_are_arrays_of_their_own(film) -> None:
    images = [image for _, image in read_all(film)]
    assert all(not np.shares_memory(a, b) for a, b in pairwise(images))


def test_looping_film_begins_again_and_its_time_goes_on(film, number_of) -> None:
    video = VideoFile(CameraSettings(source=str(film), loop=True))
    found = []
    for _ in range(25):
        image = video.read()
        assert image is not None
        found.append((number_of(image), video.position_s))
    video.close()
    assert [number for number, _ in found] == [n % 10 for n in range(25)]
    assert [time for _, time in found] == pytest.approx([n / 10 for n in range(25)])


def test_settings_turn_the_frame(film) -> None:
    assert read_all(film, rotate=90)[0][1].shape == (96, 64, 3)


def test_rotation_that_the_file_asks_for_is_applied(tmp_path: Path) -> None:
    """As telephones write it: a matrix in the track header (ISO/IEC 14496-12, 8.3.2) that players turn the film by."""
    path = tmp_path / "phone.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (96, 64))
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255  # the upper left quarter
    for _ in range(3):
        writer.write(image)
    writer.release()
    film = path.read_bytes()
    at = film.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # type, version and flags, times and id, reserved, layer and volume
    assert struct.unpack_from(">2i", film, at) == (0x10000, 0)
    clockwise = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 64 << 16, 0, 0x40000000)
    path.write_bytes(film[:at] + clockwise + film[at + len(clockwise) :])
    turned = read_all(path)[0][1]
    assert turned.shape == (96, 64, 3)
    assert turned[:40, 40:].mean() > 250  # clockwise, the upper left quarter comes to the upper right
    assert turned[:40, :24].mean() < 5


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"not a film at all\n" * 100, "not a readable video"),
        (bytes(5000), "not a readable video"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(1000), "not a readable video"),
    ],
)
def test_file_that_is_no_video_is_refused_with_the_reason_and_without_noise(tmp_path, capfd, content, word) -> None:
    for name in ("film.mp4", "notes.txt"):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UnusableSource, match=word) as caught:
            VideoFile(CameraSettings(source=str(path)))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_devices_and_fifos_are_no_videos_and_are_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    for path in (tmp_path / "fifo.mp4", tmp_path / "zero.mp4", Path("/dev/zero")):
        with pytest.raises(UnusableSource, match=f"^{path}: cannot be read: not a regular file$"):
            VideoFile(CameraSettings(source=str(path)))


def test_control_characters_of_a_name_are_written_out(tmp_path) -> None:
    path = tmp_path / "a\x1b[31m\n.mp4"
    for content in (None, b"", bytes(5000)):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UnusableSource) as caught:
            VideoFile(CameraSettings(source=str(path)))
        assert str(caught.value).startswith(f"{tmp_path}/a\\x1b[31m\\n.mp4: ")


def test_film_of_more_pixels_than_are_decoded_is_refused_by_its_size(tmp_path, film) -> None:
    """AVI stores width and height as 32 bits after `biSize`, the 40 of BITMAPINFOHEADER."""
    data = bytearray(film.read_bytes().replace(b"MJPG", b"MPNG"))  # a codec that states no other size
    at = data.index(b"strf") + 12
    assert struct.unpack_from("<2i", data, at) == (96, 64)
    struct.pack_into("<2i", data, at, 16000, 16000)
    film.write_bytes(bytes(data))
    with pytest.raises(UnusableSource, match="16000x16000 pixels, more than the"):
        VideoFile(CameraSettings(source=str(film)))


@pytest.fixture
def locked_film(film: Path) -> Path:
    film.chmod(0)
    return film


def test_unreadable_file_is_reported(locked_film, ordinary_user) -> None:
    with pytest.raises(UnusableSource, match="permission denied"):
        open_source(CameraSettings(source=str(locked_film)))


def test_film_without_its_end_gives_what_it_has(film, capfd) -> None:
    whole = film.read_bytes()
    film.write_bytes(whole[: whole.index(b"movi") + (len(whole) - whole.index(b"movi")) // 2])
    assert 2 <= len(read_all(film)) < 10
    assert capfd.readouterr().err == ""


def test_name_with_a_colon_is_a_name_and_not_a_protocol(film, tmp_path, monkeypatch) -> None:
    film.rename(tmp_path / "http:film.avi")
    monkeypatch.chdir(tmp_path)
    assert len(read_all(Path("http:film.avi"))) == 10


# Frames that decode, of 30, 24, 12.5 and 30 a second.
CLIPS = {"single_face.mp4": 72, "face_noface.mov": 169, "head-pose-face-detection-female.gif": 23, "sign-eat.mkv": 47}


@pytest.mark.data
@pytest.mark.parametrize(("name", "frames"), CLIPS.items())
def test_real_clip_is_read_whole_and_its_time_only_rises(data, name: str, frames: int) -> None:
    found = read_all(data / "videos" / name)
    times = [time for time, _ in found]
    assert len(found) == frames
    assert times[0] == 0.0
    assert all(0.01 <= b - a <= 0.1 for a, b in pairwise(times))
    assert {image.shape for _, image in found} == {found[0][1].shape}
