"""A camera behind Video4Linux: USB webcams, capture sticks."""

import errno
import fcntl
import os
import pwd
import re
import stat
import struct
from pathlib import Path

import cv2

from fer_edge.capture.opencv import format_name, open_v4l2, upright
from fer_edge.capture.uri import device_path
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError
from fer_edge.types import Image

VIDEO4LINUX = 81  # the major number of its nodes, Linux devices.txt
QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability of 104 bytes)
QUERYCAP_BYTES = 104
QUERYCAP_FLAGS_AT = 84  # u32 capabilities of the whole device, u32 device_caps of this node
HAS_DEVICE_CAPS = 0x80000000
CAPTURES = 0x00000001 | 0x00001000  # single-planar, multi-planar
REQBUFS = 0xC0145608  # _IOWR('V', 8, struct v4l2_requestbuffers of 20 bytes)
ONE_MAPPED_CAPTURE_BUFFER = struct.pack("5I", 1, 1, 1, 0, 0)  # count, type, memory, capabilities, reserved
# Uncompressed YUYV is cheapest to read as long as USB 2 carries it: an isochronous endpoint moves at most three
# packets of 1024 bytes in each of 8000 microframes a second (USB 2.0, 5.6.3), and cameras leave a fifth of it free.
YUYV_BYTES_PER_PX = 2
USB2_BYTES_PER_S = 0.8 * 3 * 1024 * 8000
# With a single buffer the driver has nowhere to put the next frame while this one is decoded, and every other frame
# is lost. With two nothing gets old, because the capture thread always reads on.
BUFFERS = 2
READ_PART = 0.75  # of stall_s, so that a silent camera has been given up before it counts as stalled


def is_another_kind(path: str) -> bool:
    """Whether there is something at ``path`` that is no V4L2 node: a file, a FIFO, a serial port.

    To be asked first, because opening such a thing does something: a terminal may become the process's own.
    """
    try:
        node = os.stat(path)  # noqa: PTH116  a path below /dev is a text here
    except OSError:
        return False
    return not stat.S_ISCHR(node.st_mode) or os.major(node.st_rdev) != VIDEO4LINUX


def diagnose(path: str) -> str:
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


class V4l2Camera:
    """A V4L2 device. Owned by the thread that reads it."""

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        """Open the device and ask for size, rate and format; raises SourceError with the reason and what to do."""
        path = device_path(settings.source)
        if is_another_kind(path):
            raise SourceError(diagnose(path))
        self._rotate = settings.rotate
        self._capture = open_v4l2(path, max(1, int(READ_PART * settings.stall_s)))
        if not self._capture.isOpened():
            raise SourceError(diagnose(path))
        self._ask(settings)
        self.rate_hz: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next picture; None where the camera is gone or gave nothing within the time limit."""
        taken, picture = self._capture.read()
        return upright(picture, self._rotate) if taken else None

    def close(self) -> None:
        self._capture.release()

    def _ask(self, settings: CameraSettings) -> None:
        """Ask for what is set; a camera that has no such mode keeps its nearest, which is not an error."""
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERS)
        if wants_mjpg(settings.width, settings.height, settings.rate_hz):
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        self._capture.set(cv2.CAP_PROP_FPS, settings.rate_hz)


def wants_mjpg(width: int, height: int, rate_hz: float) -> bool:
    """Whether uncompressed frames of this size and rate are more than USB 2 carries."""
    return width * height * YUYV_BYTES_PER_PX * rate_hz > USB2_BYTES_PER_S
