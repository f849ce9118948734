"""Thermal throttling: fewer frames in steps while hot, all frames again after cooling."""

import logging

import pytest

from fer_edge.daemon.throttle import ThermalThrottle

RATE_HZ = 20


class Board:
    """A board with a temperature and a throttled flag."""

    def __init__(self, temperature_c: float | None, *, throttled: bool | None = None) -> None:
        self.temperature_c, self.throttled = temperature_c, throttled

    def throttle(self, hot_c: float = 80.0) -> ThermalThrottle:
        return ThermalThrottle(hot_c, lambda: self.temperature_c, lambda: self.throttled)


def admitted(throttle: ThermalThrottle, start: float, end: float, rate_hz: float = RATE_HZ) -> float:
    """Return the share, 0 to 1, of admitted frames from start to before end."""
    frames = [start + number / rate_hz for number in range(round((end - start) * rate_hz))]
    return sum(throttle.admits(at) for at in frames) / len(frames)


def test_every_frame_is_processed_while_cool():
    throttle = Board(79.9).throttle()
    assert admitted(throttle, 0, 100) == 1.0
    assert throttle.text == ""


def test_half_and_then_a_quarter_of_the_frames_are_processed_while_hot_and_no_fewer():
    board = Board(80.0)
    throttle = board.throttle()
    assert admitted(throttle, 0, 15) == pytest.approx(1 / 2, abs=0.01)
    assert throttle.text == "CPU temperature 80 °C: skipping up to 1 of 2 frames"
    board.temperature_c = 84.4
    assert admitted(throttle, 15, 30) == pytest.approx(1 / 4, abs=0.01)
    assert throttle.text == "CPU temperature 84 °C: skipping up to 3 of 4 frames"
    assert admitted(throttle, 30, 300) == pytest.approx(1 / 4, abs=0.01)


def test_each_step_back_takes_a_minute_at_five_degrees_below_the_limit():
    board = Board(85.0)
    throttle = board.throttle()
    admitted(throttle, 0, 30)
    board.temperature_c = 76.0  # no longer hot, not yet cool
    assert admitted(throttle, 30, 200) == pytest.approx(1 / 4, abs=0.01)
    board.temperature_c = 74.9
    assert admitted(throttle, 200, 260) == pytest.approx(1 / 2, abs=0.01)
    assert admitted(throttle, 260, 300) == 1.0
    assert throttle.text == ""


def test_throttled_board_is_hot_at_any_temperature():
    board = Board(60.0, throttled=True)
    throttle = board.throttle()
    assert admitted(throttle, 0, 15) == pytest.approx(1 / 2, abs=0.01)
    board.throttled = False
    assert admitted(throttle, 15, 60) == pytest.approx(1 / 2, abs=0.01)
    assert admitted(throttle, 61, 80) == 1.0


def test_device_without_sensors_is_never_hot():
    throttle = Board(None).throttle()
    assert admitted(throttle, 0, 100) == 1.0


def test_camera_with_few_frames_is_slowed_less_and_below_four_fps_not_at_all():
    throttle = Board(90.0).throttle()
    admitted(throttle, 0, 30)
    assert admitted(throttle, 30, 60, rate_hz=5) == pytest.approx(1 / 2, abs=0.01)  # 0.4 s apart: 0.2 would be less
    assert admitted(throttle, 61, 90, rate_hz=3.9) == 1.0


def test_each_change_is_logged_once(caplog: pytest.LogCaptureFixture):
    board = Board(90.0)
    throttle = board.throttle()
    with caplog.at_level(logging.INFO):
        admitted(throttle, 0, 200)
        board.temperature_c = 40.0
        admitted(throttle, 200, 400)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "WARNING", "INFO"]
    assert caplog.messages[-1] == "CPU cool again: processing every frame"
