"""Capture thread with scripted sources and a clock that advances only by waits and reads."""

import logging
from collections.abc import Callable
from itertools import pairwise
from threading import Event

import pytest

from fer_edge.capture.camera import HANG_S, CaptureThread, LatestFrame
from fer_edge.capture.sources import Source
from fer_edge.capture.supervisor import CameraPhase
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource
from fer_edge.types import Frame, Image

SETTINGS = CameraSettings(source="rtsp://anna:geheim@camera/live", stall_s=4.0, reopen_max_s=30.0)
END = UnusableSource("the test ends here")


class Scripted:
    """Live source that plays a list: each read takes so many seconds and returns a frame, None or an error."""

    live = True
    rate_hz: float | None = None
    format = "script"

    def __init__(self, clock, script: list[tuple[float, Image | Exception | None]]) -> None:
        self._clock = clock
        self._script = list(script)
        self.closed = False

    def read(self) -> Image | None:
        if not self._script:
            return None
        seconds, result = self._script.pop(0)
        self._clock.now += seconds
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        self.closed = True


class ScriptedRecording(Scripted):
    """A recording with a frame every tenth of a second."""

    live = False
    position_s = -0.1

    def read(self) -> Image | None:
        self.position_s += 0.1
        return super().read()


class RecordingSlot(LatestFrame):
    """Latest-frame slot that records every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    def put(self, frame: Frame) -> None:
        self.frames.append(frame)
        super().put(frame)


def opener(*openings: Source | Exception) -> Callable[[CameraSettings], Source]:
    """Opener that returns or raises one item after the other, then ends the test."""
    left = list(openings)

    def open_next(settings: CameraSettings) -> Source:
        result = left.pop(0) if left else END
        if isinstance(result, Exception):
            raise result
        return result

    return open_next


def camera(clock, *openings: Source | Exception, latest_frame: LatestFrame | None = None) -> CaptureThread:
    return CaptureThread(
        SETTINGS,
        latest_frame or LatestFrame(),
        opener=opener(*openings),
        clock=clock,
        draw=lambda: 1.0,
        wait=clock.wait,
    )


def run_to_end(capture: CaptureThread) -> None:
    with pytest.raises(UnusableSource, match="the test ends here"):
        capture.run()


def test_every_frame_of_a_live_source_becomes_a_frame_with_its_time_and_number(clock, image) -> None:
    source, slot = Scripted(clock, [(0.1, image(n)) for n in range(4)]), RecordingSlot()
    run_to_end(camera(clock, source, latest_frame=slot))
    assert [frame.number for frame in slot.frames] == [0, 1, 2, 3]
    assert [frame.captured_at for frame in slot.frames] == pytest.approx([100.1, 100.2, 100.3, 100.4])
    assert slot.dropped == 3
    assert source.closed


def test_lost_source_is_opened_anew_and_numbers_go_on(clock, image) -> None:
    first, second = (Scripted(clock, [(0.1, image(n)) for n in range(2)]) for _ in range(2))
    slot = RecordingSlot()
    capture = camera(clock, first, second, latest_frame=slot)
    run_to_end(capture)
    assert [frame.number for frame in slot.frames] == [0, 1, 2, 3]
    assert first.closed
    assert second.closed
    assert capture.state(clock.now).reopened == 1


def test_source_that_cannot_be_opened_is_tried_for_ever_with_growing_waits(clock, image) -> None:
    capture = camera(clock, *[SourceError("no such camera")] * 9, Scripted(clock, [(0.1, image(0))]))
    run_to_end(capture)
    assert clock.waits[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_read_that_fails_with_a_reason_is_a_loss_with_that_reason(clock, image) -> None:
    source = Scripted(clock, [(0.1, image(0)), (0.1, SourceError("the cable"))])
    capture = camera(clock, source)
    run_to_end(capture)
    assert source.closed
    assert (capture.state(clock.now).phase, capture.state(clock.now).reason) == (CameraPhase.LOST, "the cable")


def test_frozen_frame_is_not_delivered_and_the_source_is_opened_anew(clock, image) -> None:
    frozen = Scripted(clock, [(0.5, image(1)) for _ in range(40)])
    still = Scripted(clock, [(0.5, image(1)) for _ in range(3)] + [(0.5, image(2))])
    slot = RecordingSlot()
    run_to_end(camera(clock, frozen, still, latest_frame=slot))
    assert frozen.closed
    times = [frame.captured_at for frame in slot.frames]
    assert times[:8] == [100.5 + 0.5 * n for n in range(8)]  # what came before stall_s was up
    assert times[8:] == [106.5]  # then nothing until the frame changed
    assert [frame.number for frame in slot.frames] == list(range(9))


def test_file_ends_the_run_and_is_not_opened_anew(clock, image) -> None:
    slot = RecordingSlot()
    capture = camera(clock, ScriptedRecording(clock, [(0.0, image(n)) for n in range(3)]), latest_frame=slot)
    capture.run()
    assert len(slot.frames) == 3
    assert capture.state(clock.now).phase is CameraPhase.ENDED


def test_file_is_paced_by_its_own_times(clock, image) -> None:
    slot = RecordingSlot()
    camera(
        clock, ScriptedRecording(clock, [(0.03, image(n)) for n in range(4)]), latest_frame=slot
    ).run()  # reading takes 0.03 s, the frames are 0.1 s apart
    gaps = [b.captured_at - a.captured_at for a, b in pairwise(slot.frames)]
    assert gaps == pytest.approx([0.1, 0.1, 0.1])


def test_change_is_logged_once_and_not_each_repetition(clock, image, caplog) -> None:
    caplog.set_level(logging.INFO)
    refused = [SourceError("refused")] * 5
    run_to_end(camera(clock, Scripted(clock, [(0.1, image(0)), (0.1, image(1))]), *refused))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3  # running, lost, and one line for five refusals
    assert "running" in messages[0]
    assert "lost" in messages[1]
    assert "refused" in messages[2]


def test_camera_that_opens_and_fails_repeatedly_is_logged_once(clock, image, caplog) -> None:
    caplog.set_level(logging.INFO)
    capture = camera(clock, *[Scripted(clock, [(0.1, None)]) for _ in range(5)])
    run_to_end(capture)
    assert len(caplog.records) == 1
    assert capture.state(clock.now).reopened == 4


def test_password_is_in_no_log_line(clock, image, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    run_to_end(camera(clock, SourceError("refused"), Scripted(clock, [(0.1, image(0)), (9.0, None)])))
    assert caplog.records
    assert "geheim" not in caplog.text


def test_first_loss_of_an_unusable_source_reaches_the_main_thread() -> None:
    capture = CaptureThread(CameraSettings(source="/no/such/film.mp4"), LatestFrame())
    capture.check()
    capture.start()
    capture._thread.join(10.0)  # the thread ends by itself, and only its end is waited for
    with pytest.raises(UnusableSource, match="no such file or folder"):
        capture.check()


def test_bug_in_the_thread_reaches_the_main_thread(clock, image) -> None:
    capture = camera(clock, Scripted(clock, [(0.1, image(0)), (0.1, ZeroDivisionError("a bug"))]))
    capture.start()
    capture._thread.join(10.0)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        capture.check()


class Hanging:
    """Live source whose second read hangs until released."""

    live = True
    rate_hz: float | None = None
    format = "hanging"

    def __init__(self, image: Image) -> None:
        self._image: Image | None = image
        self.hangs = Event()
        self.release = Event()

    def read(self) -> Image | None:
        image, self._image = self._image, None
        if image is None:
            self.hangs.set()
            self.release.wait(60.0)
        return image

    def close(self) -> None:
        pass


def test_read_that_hangs_is_reported_as_silence_and_does_not_delay_the_stop(image) -> None:
    now, source = 100.0, Hanging(image(0))
    capture = CaptureThread(SETTINGS, LatestFrame(), opener=opener(source), clock=lambda: now)
    capture.start()
    assert source.hangs.wait(10.0)
    assert capture.state(104.0).phase is CameraPhase.RUNNING
    assert capture.state(104.1).phase is CameraPhase.SILENT
    capture.stop()
    assert capture._thread.is_alive()  # it was abandoned, not waited for
    source.release.set()
    capture._thread.join(10.0)
    assert not capture._thread.is_alive()


def test_stop_ends_a_long_wait_between_two_attempts() -> None:
    tried = Event()

    def refuse(settings: CameraSettings) -> Source:
        tried.set()
        raise SourceError("refused")

    settings = CameraSettings(source=0, reopen_max_s=3600.0)
    capture = CaptureThread(settings, LatestFrame(), opener=refuse, draw=lambda: 3600.0)
    capture.start()
    assert tried.wait(10.0)
    capture.stop()
    assert not capture._thread.is_alive()
    capture.check()


def test_stop_before_start_does_nothing() -> None:
    CaptureThread(SETTINGS, LatestFrame()).stop()


def test_wait_for_a_missing_camera_stays_within_the_watchdog_deadline(clock) -> None:
    capture: CaptureThread
    slack: list[float] = []

    def wait(seconds: float) -> None:
        clock.wait(seconds)
        slack.append(capture.deadline - clock.now)

    refused = opener(*[SourceError("no such camera")] * 9)
    capture = CaptureThread(SETTINGS, LatestFrame(), opener=refused, clock=clock, draw=lambda: 1.0, wait=wait)
    run_to_end(capture)
    assert clock.waits[-1] == 30.0
    assert slack == [HANG_S] * 9


def test_read_that_hangs_misses_its_deadline_after_a_minute_and_a_film_at_its_end_never_does(clock, image) -> None:
    source = Hanging(image(0))
    capture = CaptureThread(SETTINGS, LatestFrame(), opener=opener(source), clock=lambda: 100.0)
    capture.start()
    assert source.hangs.wait(10.0)
    assert capture.deadline == 160.0
    capture.stop()
    source.release.set()
    capture._thread.join(10.0)
    film = camera(clock, ScriptedRecording(clock, [(0.0, image(0))]))
    film.run()
    assert film.deadline == float("inf")


def test_long_still_in_a_film_is_no_hang(clock, image) -> None:
    film = ScriptedRecording(clock, [(0.0, image(n)) for n in range(2)])
    slack: list[float] = []
    capture: CaptureThread

    def wait(seconds: float) -> None:
        clock.wait(seconds)
        slack.append(capture.deadline - clock.now)

    def read() -> Image | None:
        film.position_s += 500.0
        return Scripted.read(film)

    film.read = read  # type: ignore[method-assign]
    capture = CaptureThread(SETTINGS, LatestFrame(), opener=opener(film), clock=clock, wait=wait)
    capture.run()
    assert clock.waits[1] == 500.0
    assert min(slack) >= 0.0
