"""The one door to OpenCV's captures: quiet, with time limits, decoding in one thread, opening the source alone."""

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
# FFmpeg's options pass through a variable of the process, read at each opening. A user's own are left alone.
OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
USERS_OPTIONS = os.environ.get(OPTIONS)
# A playlist, SDP or list of files is a video to FFmpeg, and may name any address or file, which it then opens. So it
# may use the protocols of the source alone, and of what a camera sends by HTTP read the formats that name nothing.
FILE_GUARD = "protocol_whitelist;file"
RTSP_GUARD = "protocol_whitelist;rtsp,rtp,udp,tcp,tls,srtp"
BYTES_GUARD = (
    "protocol_whitelist;none"
    "|format_whitelist;mpegts,mpeg,mov,matroska,webm,flv,live_flv,avi,ogg,asf,h264,hevc,m4v,mpegvideo,mjpeg,mpjpeg"
)


def upright(picture: NDArray[Any], rotate: int) -> Image:
    """``picture`` as (h, w, 3) uint8 BGR, turned clockwise by ``rotate`` degrees (0, 90, 180 or 270).

    Grey becomes three equal channels, alpha is dropped, 16 bits become their upper 8. What is right already is
    returned as it is, not copied.
    """
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    image: Image = picture.astype(np.uint8, copy=False)
    channels = 1 if image.ndim == 2 else image.shape[2]  # noqa: PLR2004 - (h, w) is grey
    if channels == 1:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    elif channels == CHANNELS_BGRA:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), np.uint8)
    return np.asarray(cv2.rotate(image, CLOCKWISE[rotate]), np.uint8) if rotate else image


# OpenCV and FFmpeg write to stderr whenever a camera is away; what matters of it is said once by our own log. Whoever
# looks for a fault in them sets these variables. Both are read at run time, so it does not matter who imported cv2.
if "OPENCV_LOG_LEVEL" not in os.environ:
    SILENT = 0  # LOG_LEVEL_SILENT of opencv2/core/utils/logger.defines.h
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # it moved in 4.13
    set_level(SILENT)

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET


def open_ffmpeg(
    source: str | io.BufferedIOBase, limits: Sequence[int] = (), options: str = "", guard: str = FILE_GUARD
) -> cv2.VideoCapture:
    """A capture of a file, URL or stream of bytes; it may be closed already, where it could not be opened.

    ``limits`` are pairs of property and value. ``guard`` holds also beside a user's own options. A stream must not
    raise: OpenCV 4.14 ends the process. One decoding thread: with one a core a clip of 640x360 cost half as much CPU
    again, 4 MiB more, and each thread delays a live stream by a frame.
    """
    chosen = options if USERS_OPTIONS is None else USERS_OPTIONS
    os.environ[OPTIONS] = "|".join(filter(None, (chosen, guard)))
    # The overload for streams asks for its own class in its types, and for io.BufferedIOBase at run time.
    capture = cv2.VideoCapture(cast("str", source), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1, *limits])
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # the default, but not in OpenCV 4.11
    return capture


def size_flaw(capture: cv2.VideoCapture) -> str | None:
    """Return the sentence on pictures that are too large to be decoded; None of others."""
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    return (
        f"{width}x{height} pixels, more than the {MAX_PIXELS} that are decoded" if width * height > MAX_PIXELS else None
    )


def open_v4l2(path: str, select_timeout_s: int) -> cv2.VideoCapture:
    """A capture of a V4L2 device; it may be closed already. The first call's time limit on a read holds for all."""
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(select_timeout_s))  # 10 s where nobody says so
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def format_name(capture: cv2.VideoCapture) -> str:
    """The four-letter name of the format that is read: `MJPG`, `YUYV`, `h264`; `unknown` where it has none."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    letters = code.to_bytes(4, "little").decode("latin-1").strip("\0 ")
    return letters if letters.isprintable() and letters else "unknown"
