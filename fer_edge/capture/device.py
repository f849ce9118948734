"""Why a V4L2 device cannot be used, in words that say what to do.

OpenCV says only that it could not. The kernel knows, so it is asked: Linux media API, "open()", VIDIOC_QUERYCAP and
VIDIOC_REQBUFS.
"""

import errno
import fcntl
import os
import pwd
import re
import stat
import struct
from pathlib import Path

VIDEO4LINUX = 81  # the major number of its nodes, Linux devices.txt
QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability of 104 bytes)
QUERYCAP_BYTES = 104
QUERYCAP_FLAGS_AT = 84  # u32 capabilities of the whole device, u32 device_caps of this node
HAS_DEVICE_CAPS = 0x80000000
CAPTURES = 0x00000001 | 0x00001000  # single-planar, multi-planar
REQBUFS = 0xC0145608  # _IOWR('V', 8, struct v4l2_requestbuffers of 20 bytes)
ONE_MAPPED_CAPTURE_BUFFER = struct.pack("5I", 1, 1, 1, 0, 0)  # count, type, memory, capabilities, reserved


def is_another_kind(path: str) -> bool:
    """Whether there is something at ``path`` that is no V4L2 node: a file, a FIFO, a serial port.

    To be asked first, because opening such a thing does something: a terminal may become the process's own.
    """
    try:
        node = os.stat(path)  # noqa: PTH116  a path below /dev is a text here
    except OSError:
        return False
    return not stat.S_ISCHR(node.st_mode) or os.major(node.st_rdev) != VIDEO4LINUX


def why_not(path: str) -> str:
    """One line on why ``path`` gives no pictures and what to do about it."""
    if is_another_kind(path):
        return f"{path}: not a video device: {_cameras_there(path)}"
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, PermissionError):
            return forbidden(path, error.errno, _user_name())
        if error.errno == errno.EBUSY:
            return _busy(path)
        return f"{path}: no such camera: {_cameras_there(path)}"
    try:
        return _why_not_open(path, handle)
    finally:
        os.close(handle)


def forbidden(path: str, code: int | None, user: str | None) -> str:
    """What to do about a camera that ``user`` may not open, by the kernel's error ``code``; in containers it is None.

    EACCES are the node's own permissions. EPERM comes where they would do: from a list of devices that the process may
    use at all, cgroup-v2 "Device controller".
    """
    if code == errno.EPERM:
        return (
            f"{path}: kept from this service by its list of devices: add DeviceAllow=char-video4linux rw"
            " below [Service] (sudo systemctl edit fer-edge), or hand the device to the container"
        )
    if user is None:
        return (
            f"{path}: permission denied: user {os.geteuid()} has no name here, so give the container the device's group"
            f" (stat -c %g {path} on the host names it): docker run --group-add NUMBER"
        )
    return f"{path}: permission denied: add the user to group video (sudo usermod -aG video {user}) and start anew"


def captures(answer: bytes) -> bool:
    """Whether the node that gave this `struct v4l2_capability` can capture: metadata nodes of webcams cannot."""
    whole, own = struct.unpack_from("2I", answer, QUERYCAP_FLAGS_AT)
    return bool((own if whole & HAS_DEVICE_CAPS else whole) & CAPTURES)


def _user_name() -> str | None:
    """The name of the user; None where the list of users has none, as in containers."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def _why_not_open(path: str, handle: int) -> str:
    """Why an open device gives no pictures."""
    try:
        answer = fcntl.ioctl(handle, QUERYCAP, bytes(QUERYCAP_BYTES))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return f"{path}: no such camera: it was unplugged"
        return f"{path}: not a video device: {_cameras_there(path)}"
    if not captures(answer):
        return f"{path}: this node takes no pictures (webcams have a second one for metadata): {_cameras_there(path)}"
    try:
        fcntl.ioctl(handle, REQBUFS, ONE_MAPPED_CAPTURE_BUFFER)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return _busy(path)
    return f"{path}: gives no pictures in a format that OpenCV reads; a Pi camera module needs camera.source: picamera"


def _busy(path: str) -> str:
    return f"{path}: in use by another program: stop that one (fuser -v {path} names it)"


def _cameras_there(path: str) -> str:
    """What there is instead of ``path``, as the end of a sentence."""
    nodes = (str(node) for node in Path("/dev").glob("video*") if str(node) != path)
    names = sorted(nodes, key=lambda name: int(re.sub(r"\D", "", name) or 0))
    return f"there are {', '.join(names)}" if names else "is it plugged in?"
