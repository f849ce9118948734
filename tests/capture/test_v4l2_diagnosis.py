"""Diagnosis of V4L2 devices. For tests with the kernel's test driver see docs/cameras.md."""

import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fer_edge.capture.v4l2 import V4l2Camera, captures, diagnose, forbidden
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError


def test_missing_device_is_reported_with_what_to_do() -> None:
    assert diagnose("/dev/video987").startswith("/dev/video987: no such camera: ")


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/dev/tty", "FIFO", "FILE"])
def test_what_is_no_camera_is_named_without_being_opened(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "FILE").write_bytes(bytes(100))
    place = str(tmp_path / path)  # an absolute path stays as it is
    assert diagnose(place).startswith(f"{place}: not a video device: ")
    with pytest.raises(SourceError, match="not a video device"):
        V4l2Camera(CameraSettings(source=place))


@pytest.fixture
def locked_node(tmp_path: Path) -> str:
    """A node of Video4Linux that belongs to root."""
    node = tmp_path / "video0"
    try:
        os.mknod(node, stat.S_IFCHR, os.makedev(81, 250))
    except OSError:
        pytest.skip("only root makes device nodes")
    return str(node)


def test_permission_is_named_with_its_cure(locked_node: str, ordinary_user: None) -> None:
    assert "sudo usermod -aG video" in diagnose(locked_node)


def test_user_without_a_name_is_named_by_number_with_a_cure_for_containers(locked_node: str) -> None:
    with user(12345):
        line = diagnose(locked_node)
    assert line.startswith(f"{locked_node}: permission denied: user 12345 has no name here")
    assert "docker run --group-add" in line


@contextmanager
def user(number: int) -> Iterator[None]:
    """Run the block as this user."""
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)


def test_camera_outside_the_sandbox_is_distinguished_from_one_of_another_group() -> None:
    assert "DeviceAllow=char-video4linux rw" in forbidden("/dev/video0", errno.EPERM, "fer-edge")
    assert "sudo usermod -aG video fer-edge" in forbidden("/dev/video0", errno.EACCES, "fer-edge")


def capability(whole: int, own: int) -> bytes:
    """A `struct v4l2_capability`: driver, card, bus, version, capabilities, device_caps, reserved."""
    return struct.pack("16s32s32s6I", b"uvcvideo", b"A webcam", b"usb-1", 0x60000, whole, own, 0, 0, 0)[:104]


@pytest.mark.parametrize(
    ("whole", "own", "expected"),
    [
        (0x84A00001, 0x04200001, True),  # a webcam's first node
        (0x84A00001, 0x04A00000, False),  # its second: metadata only
        (0x84201000, 0x04201000, True),  # a multi-planar camera interface
        (0x04000001, 0x00000000, True),  # a driver of old, without caps of the node
        (0x04000002, 0x00000001, False),  # the same, an output
    ],
)
def test_capture_node_is_distinguished_from_others(whole: int, own: int, *, expected: bool) -> None:
    assert captures(capability(whole, own)) is expected
