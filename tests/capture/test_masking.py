"""No picture passes a masked source unmasked, and all else of the source does."""

import numpy as np

from fer_edge.capture.camera import masked_source
from fer_edge.capture.sources import Recording, play
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.masks import PrivacyMask
from fer_edge.types import Image

RIGHT_HALF = PrivacyMask([((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))])


class Live:
    live, rate_hz, format = True, 15.0, "test"

    def __init__(self) -> None:
        self.left, self.closed = 2, False

    def read(self) -> Image | None:
        self.left -= 1
        return np.full((10, 10, 3), 200, np.uint8) if self.left >= 0 else None

    def close(self) -> None:
        self.closed = True


def test_live_source_is_masked_and_else_as_it_was() -> None:
    source = Live()
    masked = masked_source(source, RIGHT_HALF)
    assert (masked.live, masked.rate_hz, masked.format) == (True, 15.0, "test")
    for _ in range(2):
        image = masked.read()
        assert image is not None
        assert not image[:, 5:].any()
        assert (image[:, :2] == 200).all()
    assert masked.read() is None
    assert not isinstance(masked, Recording)
    masked.close()
    assert source.closed


def test_recording_stays_one_with_its_media_time(film) -> None:
    plain = [frame.captured_at for frame in play(VideoFile(CameraSettings(source=str(film))))]
    frames = list(play(masked_source(VideoFile(CameraSettings(source=str(film))), RIGHT_HALF)))
    assert [frame.captured_at for frame in frames] == plain
    assert len(frames) == 10
    assert not any(frame.image[:, 48:].any() for frame in frames)
    assert frames[-1].image[:, :40].mean() > 100


def test_without_zones_the_source_is_itself() -> None:
    source = Live()
    assert masked_source(source, PrivacyMask(())) is source
