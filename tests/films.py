"""Small videos made for tests."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from fer_edge.demo.scene import Scene
from fer_edge.types import Image


def scene_pictures(begin_s: float, end_s: float, rate_hz: float = 10.0) -> list[Image]:
    """Frames of the demo's staged scene, with faces that appear, change and leave."""
    scene = Scene()
    return [scene.draw(begin_s + number / rate_hz) for number in range(round((end_s - begin_s) * rate_hz))]


def write_film(
    path: Path, pictures: Sequence[Image], times: Sequence[float], codec: str = "libx264", pixels: str = "yuv420p"
) -> Path:
    """Write a video with frames at these seconds."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as film:
        stream = film.add_stream(codec, options={"preset": "ultrafast", "g": "5"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = Fraction(1, 90000)
        for picture, at_s in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(at_s * 90000), Fraction(1, 90000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """Write a second of silence without video."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=8000)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path
