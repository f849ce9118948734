"""Why a device gives no pictures. What needs a camera or the kernel's test driver is not here; see docs/cameras.md."""

import errno
import struct
from pathlib import Path

import pytest

from fer_edge.capture.device import captures, forbidden, why_not


def test_missing_device_is_named_and_it_is_said_what_to_do() -> None:
    assert why_not("/dev/video987").startswith("/dev/video987: no such camera: ")


def test_device_of_another_kind_is_no_camera() -> None:
    assert why_not("/dev/null").startswith("/dev/null: not a video device: ")


@pytest.fixture
def locked_node(tmp_path: Path) -> str:
    node = tmp_path / "video0"
    node.touch(mode=0)
    return str(node)


def test_permission_is_named_with_its_cure(locked_node: str, ordinary_user: None) -> None:
    assert "sudo usermod -aG video" in why_not(locked_node)


def test_camera_that_a_sandbox_keeps_out_is_told_from_one_of_another_group() -> None:
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
def test_node_that_captures_is_told_from_one_that_does_not(whole: int, own: int, *, expected: bool) -> None:
    assert captures(capability(whole, own)) is expected
