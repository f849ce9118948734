"""JPEG images split from a stream by their markers."""

import random
import tracemalloc

import cv2
import numpy as np
import pytest

from fer_edge.capture.jpeg import MAX_IMAGE_BYTES, JpegError, JpegReader


def jpeg(seed: int, *options: int, size: tuple[int, int] = (32, 32)) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise, options)[1].tobytes()


def images(stream: bytes, step: int | None = None) -> list[bytes]:
    reader, found = JpegReader(), []
    step = step or max(1, len(stream))
    for at in range(0, len(stream), step):
        reader.feed(stream[at : at + step])
        while (image := reader.take()) is not None:
            found.append(image)
    return found


PLAIN, OTHER = jpeg(1), jpeg(2)
PROGRESSIVE = jpeg(3, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTING = jpeg(4, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)


@pytest.mark.parametrize("step", [None, 1, 7, 4096])
@pytest.mark.parametrize(
    "between", [b"", b"\r\n--frame\r\nContent-Length: 99\r\n\r\n", b"\0\0\xff\xff", b"--\xff\xd8--"]
)
def test_frames_are_found_whatever_stands_between_them(step: int | None, between: bytes) -> None:
    all_of_them = [PLAIN, PROGRESSIVE, RESTARTING, OTHER]
    assert images(between + between.join(all_of_them) + between, step) == all_of_them


def test_thumbnail_inside_a_frame_is_no_frame() -> None:
    thumbnail = jpeg(5, size=(8, 8))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2) + thumbnail
    whole = PLAIN[:2] + segment + PLAIN[2:]
    assert images(whole + OTHER) == [whole, OTHER]


def test_frame_that_ends_early_is_left_out_and_the_next_one_is_not() -> None:
    assert images(PLAIN[: len(PLAIN) // 3] + b"\r\n--frame\r\n\r\n" + OTHER) == [OTHER]


def test_filling_before_a_marker_is_a_part_of_the_frame() -> None:
    filled = PLAIN[:-2] + b"\xff\xff\xff\xd9"
    assert images(filled) == [filled]


def announcing(width: int, height: int) -> bytes:
    at = PLAIN.index(b"\xff\xc0")
    return PLAIN[: at + 5] + height.to_bytes(2) + width.to_bytes(2) + PLAIN[at + 9 :]


def test_pixels_are_counted_before_anything_is_decoded() -> None:
    assert images(announcing(8000, 4000)) == [announcing(8000, 4000)]
    with pytest.raises(JpegError, match="60000x60000 pixels, more than the limit of 33554432"):
        images(announcing(60000, 60000))


def test_frame_without_an_end_is_not_kept_for_ever() -> None:
    with pytest.raises(JpegError, match="more than 16 MiB"):
        images(PLAIN[:-2] + bytes(MAX_IMAGE_BYTES), 65536)


def test_frame_with_too_many_scans_is_left_out() -> None:
    at = PLAIN.index(b"\xff\xda")
    endless = PLAIN[:at] + PLAIN[at:-2] * 70 + b"\xff\xd9"
    assert images(endless + OTHER) == [OTHER]


def test_mutated_streams_give_frames_or_one_kind_of_error_in_bounded_memory() -> None:
    part = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    stream = part.join([b"", PLAIN, PROGRESSIVE, RESTARTING, OTHER, PLAIN])
    drawn = random.Random(20261128)
    tracemalloc.start()
    errors = decoded = 0
    for _ in range(200):
        damaged = bytearray(stream)
        for _ in range(drawn.randint(1, 12)):
            at = drawn.randrange(len(damaged))
            match drawn.randrange(4):
                case 0:
                    damaged[at] = drawn.randrange(256)
                case 1:
                    del damaged[at : at + drawn.randint(1, 900)]
                case 2:
                    damaged[at:at] = drawn.choice([b"\xff\xd8\xff", b"\xff\xd9", b"\xff", b"\xff\xc0", bytes(50)])
                case 3:
                    begin = drawn.randrange(len(damaged))
                    damaged[at:at] = damaged[begin : begin + 700]
        try:
            found = images(bytes(damaged), drawn.choice([100, 1000, 100_000]))
        except JpegError:
            errors += 1
            continue
        decoded += len(found)
        assert all(each[:3] == b"\xff\xd8\xff" and each[-2:] == b"\xff\xd9" for each in found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoded > 200
    assert errors < 200
    assert peak < 4 * 1024 * 1024
