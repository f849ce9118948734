"""Annotated video: H.264 in MP4, which every browser plays."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import cv2
import numpy as np

from fer_edge.annotate import annotate
from fer_edge.errors import UserError
from fer_edge.events.lifecycle import Decision
from fer_edge.files import printable_path
from fer_edge.pipeline import PipelineObserver
from fer_edge.types import Face, Frame, Image

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.error import FFmpegError
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CODEC = "libx264"
PIXELS = "yuv420p"  # the only subsampling that all browsers decode
# x264's own scale. 23 is its default; `veryfast` takes a third of the time for a fifth more bytes.
OPTIONS = {"crf": "23", "preset": "veryfast"}
TICKS_HZ = 90_000  # MPEG's clock: usual frame rates divide it, others are exact to 11 us


class AnnotatedVideo(PipelineObserver):
    """Pipeline observer that writes annotated frames, each at its own time; sound is left out.

    A context manager: the file is complete after it.

    Raises:
        UserError: the extra is not installed, its FFmpeg has no H.264, or FFmpeg cannot write.
    """

    def __init__(self, part: Path, output: Path, threads: int) -> None:
        """Write at ``part``; errors name ``output``. ``threads`` encode, 0 means one for each core."""
        self._part = part
        self._output = output
        self._threads = threads
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._ticks = -1
        _require()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import av  # noqa: PLC0415

        if self._container is None:
            return
        try:
            # Not after an error: FFmpeg crashes when an encoder is flushed into a file that could not be written.
            if kind is None:
                self._finish()
        finally:
            with suppress(av.error.FFmpegError):  # already closed, or already reported
                self._container.close()

    def on_frame(self, frame: Frame, _faces: Sequence[Face], decision: Decision, _now: float) -> None:
        """Write a frame."""
        import av  # noqa: PLC0415  the extra

        picture = annotate(frame.image, decision.in_frame)
        if self._stream is None:
            self._open(picture)
        encoded = av.VideoFrame.from_ndarray(_fitted(picture, self._size), format="bgr24")
        self._ticks = max(self._ticks + 1, round(frame.captured_at * TICKS_HZ))
        encoded.pts = self._ticks
        encoded.time_base = Fraction(1, TICKS_HZ)
        self._write(encoded)

    def _finish(self) -> None:
        """Write the encoder's last frames and the index."""
        assert self._container is not None
        self._write(None)
        with self._encoding():
            self._container.close()

    def _write(self, frame: "VideoFrame | None") -> None:
        assert self._container is not None
        assert self._stream is not None
        with self._encoding():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        """Raise UserError for errors of FFmpeg."""
        import av  # noqa: PLC0415

        try:
            yield
        except av.error.FFmpegError as error:
            raise UserError(f"{printable_path(self._output)}: cannot be written: {_reason(error)}") from error

    def _open(self, picture: Image) -> None:
        import av  # noqa: PLC0415

        height, width = picture.shape[:2]
        self._size = (width + width % 2, height + height % 2)  # 4:2:0 needs even sizes
        # An absolute path: FFmpeg takes a name's text before a colon for a protocol.
        path = str(self._part.absolute())
        self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = stream = cast("VideoStream", self._container.add_stream(CODEC, options=OPTIONS))
        stream.width, stream.height = self._size
        stream.pix_fmt = PIXELS
        stream.codec_context.time_base = Fraction(1, TICKS_HZ)
        stream.codec_context.thread_count = self._threads


def _require() -> None:
    try:
        import av  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            f"the annotated video needs an extra: pip install 'fer-edge[video]', or leave it out with --write ({error})"
        ) from error
    if CODEC not in av.codecs_available:
        raise UserError(f"PyAV was built without {CODEC}: install its wheel (pip install --force-reinstall av)")
    av.logging.set_level(av.logging.PANIC)


def _reason(error: "FFmpegError") -> str:
    """Return the system's reason, or the encoder's log line: FFmpeg's own reason is `generic error` then."""
    log: Any = error.log  # (level, component, message), unlike its stub
    if log is None or isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return f"{log[1]}: {log[2].strip()}"


def _fitted(picture: Image, size: tuple[int, int]) -> Image:
    """Return the frame at the size of the first: padded by a line or column if odd, scaled if it changed."""
    width, height = size
    right, below = width - picture.shape[1], height - picture.shape[0]
    if (right, below) == (0, 0):
        return picture
    if right in (0, 1) and below in (0, 1):
        return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
