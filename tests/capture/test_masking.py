"""No frame passes a masked source unmasked."""

import numpy as np

from fer_edge.capture.camera import CaptureThread, LatestFrame
from fer_edge.capture.sources import play
from fer_edge.capture.video import VideoFile
from fer_edge.config.model import CameraSettings
from fer_edge.errors import UnusableSource
from fer_edge.masks import NO_MASK, PrivacyMask
from fer_edge.types import Frame, Image

RIGHT_HALF = PrivacyMask([((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))])


class Live:
    live, rate_hz, format = True, 15.0, "test"

    def __init__(self) -> None:
        self.left, self.closed = 2, False

    def read(self) -> Image | None:
        self.left -= 1
        return np.full((10, 10, 3), 200 + self.left, np.uint8) if self.left >= 0 else None

    def close(self) -> None:
        self.closed = True


class KeptFrames(LatestFrame):
    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    def put(self, frame: Frame) -> None:
        self.frames.append(frame)


def test_frames_of_a_live_source_are_masked() -> None:
    sources, kept = [Live()], KeptFrames()

    def open_once(_settings: CameraSettings) -> Live:
        if not sources:
            raise UnusableSource("the end of the test")
        return sources.pop()

    thread = CaptureThread(CameraSettings(), kept, mask=RIGHT_HALF.apply, opener=open_once, wait=lambda _: None)
    source = sources[0]
    thread.start()
    thread._thread.join(10.0)
    assert [int(frame.image.max()) for frame in kept.frames] == [201, 200]
    for frame in kept.frames:
        assert not frame.image[:, 5:].any()
        assert (frame.image[:, :2] >= 200).all()
    assert source.closed


def test_frames_of_a_recording_are_masked_and_keep_their_media_time(film) -> None:
    plain = [frame.captured_at for frame in play(VideoFile(CameraSettings(source=str(film))))]
    frames = list(play(VideoFile(CameraSettings(source=str(film))), RIGHT_HALF.apply))
    assert [frame.captured_at for frame in frames] == plain
    assert len(frames) == 10
    assert not any(frame.image[:, 48:].any() for frame in frames)
    assert frames[-1].image[:, :40].mean() > 100


def test_without_zones_the_frame_is_itself() -> None:
    image = np.full((10, 10, 3), 200, np.uint8)
    assert NO_MASK(image) is image
    assert (image == 200).all()
