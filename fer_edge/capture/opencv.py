"""OpenCV captures: silent, with timeouts, single-threaded decoding and a protocol whitelist; frame normalisation."""

import io
import os
from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge import MAX_PIXELS
from fer_edge.types import Image

CLOCKWISE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
CHANNELS_BGR = 3
CHANNELS_BGRA = 4
# FFmpeg's options are passed in an environment variable, read at each open. A user's own are kept.
OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
USERS_OPTIONS = os.environ.get(OPTIONS)
# FFmpeg accepts a playlist, SDP or list of files as a video, and opens any address or file in it. So only the source's
# own protocols are allowed, and of data received by HTTP only formats without references.
FILE_GUARD = "protocol_whitelist;file"
RTSP_GUARD = "protocol_whitelist;rtsp,rtp,udp,tcp,tls,srtp"
BYTES_GUARD = (
    "protocol_whitelist;none"
    "|format_whitelist;mpegts,mpeg,mov,matroska,webm,flv,live_flv,avi,ogg,asf,h264,hevc,m4v,mpegvideo,mjpeg,mpjpeg"
)


def upright(decoded: NDArray[Any], rotate: int) -> Image:
    """``decoded`` as (h, w, 3) uint8 BGR, rotated clockwise by ``rotate`` degrees (0, 90, 180 or 270).

    Grey becomes three equal channels, alpha is dropped, 16 bits become their upper 8. A frame that needs no change is
    returned without a copy.
    """
    if decoded.dtype == np.uint16:
        decoded = (decoded >> 8).astype(np.uint8)
    image: Image = decoded.astype(np.uint8, copy=False)
    channels = 1 if image.ndim == 2 else image.shape[2]  # noqa: PLR2004 - (h, w) is grey
    if channels == 1:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    elif channels == CHANNELS_BGRA:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), np.uint8)
    return np.asarray(cv2.rotate(image, CLOCKWISE[rotate]), np.uint8) if rotate else image


# OpenCV and FFmpeg write to stderr while a camera is missing; our own log reports that once. These variables turn their
# output on again for debugging. Both are read at run time, so it does not matter which module imported cv2.
if "OPENCV_LOG_LEVEL" not in os.environ:
    SILENT = 0  # LOG_LEVEL_SILENT of opencv2/core/utils/logger.defines.h
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # it moved in 4.13
    set_level(SILENT)

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET


def open_ffmpeg(
    source: str | io.BufferedIOBase, limits: Sequence[int] = (), options: str = "", guard: str = FILE_GUARD
) -> cv2.VideoCapture:
    """Open a file, URL or byte stream; check `isOpened` of the result.

    ``limits`` are pairs of property and value. ``guard`` is added to a user's own options. A stream must not raise:
    OpenCV 4.14 ends the process. One decoding thread: one per core cost 50% more CPU and 4 MiB more for a clip of
    640x360, and each thread delays a live stream by a frame.
    """
    chosen = options if USERS_OPTIONS is None else USERS_OPTIONS
    os.environ[OPTIONS] = "|".join(filter(None, (chosen, guard)))
    # The stub of the overload for streams names another class than io.BufferedIOBase, which is needed at run time.
    capture = cv2.VideoCapture(cast("str", source), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1, *limits])
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # the default, but not in OpenCV 4.11
    return capture


def size_flaw(capture: cv2.VideoCapture) -> str | None:
    """Describe frames that are too large to be decoded; None of others."""
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    return f"{width}x{height} pixels, more than the limit of {MAX_PIXELS}" if width * height > MAX_PIXELS else None


def open_v4l2(path: str, select_timeout_s: int) -> cv2.VideoCapture:
    """Open a V4L2 device; check `isOpened` of the result. The first call's read timeout applies to all."""
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(select_timeout_s))  # 10 s by default
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def format_name(capture: cv2.VideoCapture) -> str:
    """Four-character code of the format: `MJPG`, `YUYV`, `h264`; `unknown` if it has none."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    letters = code.to_bytes(4, "little").decode("latin-1").strip("\0 ")
    return letters if letters.isprintable() and letters else "unknown"
