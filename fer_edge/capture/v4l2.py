"""Video4Linux cameras (USB webcams, capture sticks), and diagnosis of one that fails."""

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

VIDEO4LINUX = 81  # major device number, Linux devices.txt
QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability of 104 bytes)
QUERYCAP_BYTES = 104
QUERYCAP_FLAGS_AT = 84  # u32 capabilities of the whole device, u32 device_caps of this node
HAS_DEVICE_CAPS = 0x80000000
CAPTURES = 0x00000001 | 0x00001000  # single-planar, multi-planar
REQBUFS = 0xC0145608  # _IOWR('V', 8, struct v4l2_requestbuffers of 20 bytes)
ONE_MAPPED_CAPTURE_BUFFER = struct.pack("5I", 1, 1, 1, 0, 0)  # count, type, memory, capabilities, reserved
# Uncompressed YUYV is cheapest to read as long as it fits into USB 2: an isochronous endpoint transfers at most three
# packets of 1024 bytes in each of 8000 microframes a second (USB 2.0, 5.6.3), and cameras leave 20% of it unused.
YUYV_BYTES_PER_PX = 2
USB2_BYTES_PER_S = 0.8 * 3 * 1024 * 8000
# With a single buffer the driver drops every other frame, because this one is still being decoded. With two, frames
# do not become outdated, because the capture thread reads continuously.
BUFFERS = 2
READ_PART = 0.75  # of stall_s, so that a read times out before the camera counts as stalled


def is_not_v4l2(path: str) -> bool:
    """Return whether ``path`` exists and is not a V4L2 node: a file, a FIFO, a serial port.

    Check before opening, which may have effects: a terminal may become the process's controlling terminal.
    """
    try:
        node = os.stat(path)  # noqa: PTH116  device paths are text here
    except OSError:
        return False
    return not stat.S_ISCHR(node.st_mode) or os.major(node.st_rdev) != VIDEO4LINUX


def diagnose(path: str) -> str:
    """Return in one line why ``path`` delivers no frames and what to do."""
    if is_not_v4l2(path):
        return f"{path}: not a video device: {_other_cameras(path)}"
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, PermissionError):
            return forbidden(path, error.errno, _user_name())
        if error.errno == errno.EBUSY:
            return _busy(path)
        return f"{path}: no such camera: {_other_cameras(path)}"
    try:
        return _diagnose_open(path, handle)
    finally:
        os.close(handle)


def forbidden(path: str, code: int | None, user: str | None) -> str:
    """Return what to do about a camera that ``user`` (None in containers) may not open, by the kernel's error ``code``.

    EACCES: permissions of the node. EPERM: the process's device allow list, cgroup-v2 "Device controller".
    """
    if code == errno.EPERM:
        return (
            f"{path}: not in this service's device allow list: add DeviceAllow=char-video4linux rw"
            " below [Service] (sudo systemctl edit fer-edge), or pass the device to the container"
        )
    if user is None:
        return (
            f"{path}: permission denied: user {os.geteuid()} has no name here: add the device's group to the container"
            f" (stat -c %g {path} on the host prints it): docker run --group-add NUMBER"
        )
    return f"{path}: permission denied: add the user to group video (sudo usermod -aG video {user}) and restart"


def captures(answer: bytes) -> bool:
    """Return whether a node with this `struct v4l2_capability` can capture; metadata nodes of webcams cannot."""
    whole, own = struct.unpack_from("2I", answer, QUERYCAP_FLAGS_AT)
    return bool((own if whole & HAS_DEVICE_CAPS else whole) & CAPTURES)


def _user_name() -> str | None:
    """Name of the user; None if there is no passwd entry, as in containers."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def _diagnose_open(path: str, handle: int) -> str:
    """Diagnosis of a device that can be opened."""
    try:
        answer = fcntl.ioctl(handle, QUERYCAP, bytes(QUERYCAP_BYTES))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return f"{path}: no such camera: it was unplugged"
        return f"{path}: not a video device: {_other_cameras(path)}"
    if not captures(answer):
        return f"{path}: this node does not capture (webcams have a second node for metadata): {_other_cameras(path)}"
    try:
        fcntl.ioctl(handle, REQBUFS, ONE_MAPPED_CAPTURE_BUFFER)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return _busy(path)
    return f"{path}: no format that OpenCV reads; a Pi camera module needs camera.source: picamera"


def _busy(path: str) -> str:
    return f"{path}: in use by another program: stop it (fuser -v {path} shows it)"


def _other_cameras(path: str) -> str:
    """Other video devices, as the end of a message."""
    nodes = (str(node) for node in Path("/dev").glob("video*") if str(node) != path)
    names = sorted(nodes, key=lambda name: int(re.sub(r"\D", "", name) or 0))
    return f"found {', '.join(names)}" if names else "is it plugged in?"


class V4l2Camera:
    """A V4L2 device. Owned by the thread that reads it."""

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        """Open the device and set size, rate and format; raises SourceError with the reason and what to do."""
        path = device_path(settings.source)
        if is_not_v4l2(path):
            raise SourceError(diagnose(path))
        self._rotate = settings.rotate
        self._capture = open_v4l2(path, max(1, int(READ_PART * settings.stall_s)))
        if not self._capture.isOpened():
            raise SourceError(diagnose(path))
        self._configure(settings)
        self.rate_hz: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self.format = format_name(self._capture)

    def read(self) -> Image | None:
        """The next frame; None after a disconnect or a timeout."""
        ok, image = self._capture.read()
        return upright(image, self._rotate) if ok else None

    def close(self) -> None:
        self._capture.release()

    def _configure(self, settings: CameraSettings) -> None:
        """Request the configured mode; a camera without it uses the nearest one, which is no error."""
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERS)
        if needs_mjpg(settings.width, settings.height, settings.rate_hz):
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        self._capture.set(cv2.CAP_PROP_FPS, settings.rate_hz)


def needs_mjpg(width: int, height: int, rate_hz: float) -> bool:
    """Return whether uncompressed frames of this size and rate exceed USB 2."""
    return width * height * YUYV_BYTES_PER_PX * rate_hz > USB2_BYTES_PER_S
