"""Supervisor: phases of a source, in seconds."""

import numpy as np
import pytest

from fer_edge.backoff import Backoff
from fer_edge.capture.supervisor import CameraPhase, CameraState, FrameAction, Supervisor, identical


def supervisor(stall_s: float = 4.0, draw: float = 1.0) -> Supervisor:
    """Supervisor with waits of 0.5, 1, 2, 4, 8, 16, 30, 30... seconds times ``draw``."""
    return Supervisor(stall_s, Backoff(0.5, 30.0, lambda: draw), 0.0)


def run(watch: Supervisor, image, begin: float, end: float, rate_hz: float = 10.0) -> float:
    """A healthy source from ``begin`` to ``end``; the time of its last frame."""
    now = begin
    for step in range(round((end - begin) * rate_hz)):
        now = begin + step / rate_hz
        assert watch.on_frame(image(step % 15), now) is FrameAction.DELIVER
    return now


def test_source_is_running_from_its_first_frame_and_not_from_its_opening(image) -> None:
    watch = supervisor()
    assert watch.state_at(0.0) == CameraState(CameraPhase.OPENING, 0.0)
    watch.opened(1.0, live=True)
    assert watch.state.phase is CameraPhase.OPENING
    watch.on_frame(image(0), 1.5)
    assert watch.state == CameraState(CameraPhase.RUNNING, 1.5)


def test_source_that_ends_a_read_at_once_is_lost_and_one_that_ends_it_late_is_silent(image) -> None:
    for silence_s, phase in ((0.1, CameraPhase.LOST), (3.6, CameraPhase.SILENT)):
        watch = supervisor()
        watch.opened(0.0, live=True)
        watch.on_frame(image(0), 1.0)
        watch.lost(1.0 + silence_s)
        assert watch.state.phase is phase


def test_lost_source_is_distinguished_from_one_that_never_delivered_a_frame(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=True)
    watch.lost(0.1)
    assert watch.state.reason == "it opens but delivers no frames"
    watch.opened(1.0, live=True)
    watch.on_frame(image(0), 1.1)
    watch.lost(1.2)
    assert watch.state.reason == "it was unplugged, switched off or disconnected"


def test_blocked_read_is_noticed_from_outside_after_stall_s_and_not_before(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=True)
    watch.on_frame(image(0), 10.0)
    assert watch.state_at(14.0).phase is CameraPhase.RUNNING
    assert watch.state_at(14.01).phase is CameraPhase.SILENT
    assert watch.state_at(14.01).since == 10.0
    watch.on_frame(image(1), 15.0)
    assert watch.state_at(15.1).phase is CameraPhase.RUNNING


def test_opening_that_hangs_is_noticed_from_outside() -> None:
    watch = supervisor()
    assert watch.state_at(3.9).phase is CameraPhase.OPENING
    assert watch.state_at(4.1).phase is CameraPhase.SILENT


def test_very_same_frame_counts_as_frozen_after_stall_s_and_not_before(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=True)
    now = run(watch, image, 0.0, 5.0)  # the last frame comes at 4.9
    frozen = image(3)
    watch.on_frame(frozen, now + 0.1)
    assert watch.on_frame(frozen.copy(), now + 4.0) is FrameAction.DELIVER
    assert watch.on_frame(frozen.copy(), now + 4.2) is FrameAction.REOPEN
    assert watch.state == CameraState(CameraPhase.FROZEN, now + 4.2, watch.state.reason)


def test_frame_that_differs_in_one_value_is_delivered(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=True)
    for step in range(100):
        frame = image(3)
        frame[33, 41, 1] += step % 2
        assert watch.on_frame(frame, float(step)) is FrameAction.DELIVER


def test_reason_of_a_frozen_source_ends_with_its_cure(image) -> None:
    watch = Supervisor(4.0, Backoff(0.5, 30.0, lambda: 1.0), 0.0, "; set it to progressive")
    watch.opened(0.0, live=True)
    for now in (0.1, 4.2):
        watch.on_frame(image(3), now)
    assert watch.state.phase is CameraPhase.FROZEN
    assert watch.state.reason.endswith("identical frames; set it to progressive")


def test_frozen_source_stays_frozen_over_reopening_until_a_new_frame(image) -> None:
    watch = supervisor(draw=0.0)
    watch.opened(0.0, live=True)
    watch.on_frame(image(0), 0.0)
    assert watch.on_frame(image(0), 4.0) is FrameAction.REOPEN
    watch.opened(5.0, live=True)
    assert watch.on_frame(image(0), 5.1) is FrameAction.DROP
    assert watch.state.phase is CameraPhase.FROZEN
    assert watch.on_frame(image(0), 8.1) is FrameAction.REOPEN  # 4 s after the first attempt, with no jitter
    watch.opened(8.2, live=True)
    assert watch.on_frame(image(1), 8.3) is FrameAction.DELIVER
    assert watch.state == CameraState(CameraPhase.RUNNING, 8.3, "", 2)


def test_frozen_source_is_woken_less_and_less_often(image) -> None:
    watch = supervisor(stall_s=4.0, draw=1.0)
    watch.opened(0.0, live=True)
    times = [step / 10 for step in range(1200) if watch.on_frame(image(0), step / 10) is FrameAction.REOPEN]
    assert np.diff(times).round(1).tolist() == [4.5, 5.0, 6.0, 8.0, 12.0, 20.0, 34.0]


def test_file_may_show_one_frame_for_as_long_as_it_likes(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=False)
    for now in (0.0, 10.0, 100.0):
        assert watch.on_frame(image(0), now) is FrameAction.DELIVER
    assert watch.state_at(1000.0).phase is CameraPhase.RUNNING


def test_file_at_its_end_has_ended() -> None:
    watch = supervisor()
    watch.opened(0.0, live=False)
    watch.ended(3.0)
    assert watch.state_at(99.0) == CameraState(CameraPhase.ENDED, 3.0)


def test_waits_grow_while_attempts_fail_and_the_state_keeps_the_time_of_the_loss() -> None:
    watch = supervisor()
    assert [watch.failed("no such camera", now) for now in (1.0, 2.0, 3.0)] == [0.5, 1.0, 2.0]
    assert watch.state_at(50.0) == CameraState(CameraPhase.LOST, 1.0, "no such camera")


def test_new_reason_keeps_the_time_of_the_phase() -> None:
    watch = supervisor()
    watch.failed("no such camera", 1.0)
    watch.failed("permission denied", 2.0)
    assert watch.state == CameraState(CameraPhase.LOST, 1.0, "permission denied")


def test_waits_begin_anew_only_after_a_healthy_time(image) -> None:
    watch = supervisor()
    for now in (1.0, 2.0, 3.0):
        watch.failed("refused", now)
    watch.opened(10.0, live=True)
    last = run(watch, image, 10.0, 12.0)
    assert watch.lost(last + 0.1) == 4.0  # two seconds of frames are no recovery
    watch.opened(20.0, live=True)
    last = run(watch, image, 20.0, 25.0)
    assert watch.lost(last + 0.1) == 0.5


def test_reopenings_are_counted(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=True)
    assert watch.state.reopened == 0
    watch.on_frame(image(0), 0.1)
    watch.lost(0.2)
    watch.opened(1.0, live=True)
    assert watch.state_at(1.0).reopened == 1


def test_camera_may_change_its_size(image) -> None:
    watch = supervisor()
    watch.opened(0.0, live=True)
    assert watch.on_frame(image(0), 0.0) is FrameAction.DELIVER
    assert watch.on_frame(image(0, 64, 48), 5.0) is FrameAction.DELIVER
    assert watch.state.phase is CameraPhase.RUNNING


@pytest.mark.parametrize("spot", [(0, 0), (1, 1), (63, 95), (16, 16)])
def test_frames_are_the_same_only_to_the_last_bit(image, spot) -> None:
    a, b = image(5), image(5)
    assert identical(a, b)
    b[spot] += 1
    assert not identical(a, b)
