"""A hot device looks at fewer frames, step by step, and at all of them once it has been cool for a while."""

import logging

import pytest

from fer_edge.daemon.throttle import ThermalThrottle

RATE_HZ = 20


class Board:
    """Tells its heat, and whether it holds itself back."""

    def __init__(self, heat_c: float | None, *, held_back: bool | None = None) -> None:
        self.heat_c, self.held_back = heat_c, held_back

    def governor(self, hot_c: float = 80.0) -> ThermalThrottle:
        return ThermalThrottle(hot_c, lambda: self.heat_c, lambda: self.held_back)


def looked_at(governor: ThermalThrottle, start: float, end: float, rate_hz: float = RATE_HZ) -> float:
    """The part, 0 to 1, of the frames from start to before end that are admitted."""
    frames = [start + number / rate_hz for number in range(round((end - start) * rate_hz))]
    return sum(governor.admits(at) for at in frames) / len(frames)


def test_every_frame_is_looked_at_while_it_is_cool():
    governor = Board(79.9).governor()
    assert looked_at(governor, 0, 100) == 1.0
    assert governor.text == ""


def test_half_and_then_a_quarter_of_the_frames_are_looked_at_while_it_is_hot_and_no_fewer():
    board = Board(80.0)
    governor = board.governor()
    assert looked_at(governor, 0, 15) == pytest.approx(1 / 2, abs=0.01)
    assert governor.text == "the processor has 80 degrees Celsius: leaving out up to 1 of 2 frames"
    board.heat_c = 84.4
    assert looked_at(governor, 15, 30) == pytest.approx(1 / 4, abs=0.01)
    assert governor.text == "the processor has 84 degrees Celsius: leaving out up to 3 of 4 frames"
    assert looked_at(governor, 30, 300) == pytest.approx(1 / 4, abs=0.01)


def test_it_takes_a_minute_of_cool_for_each_step_back_and_five_degrees():
    board = Board(85.0)
    governor = board.governor()
    looked_at(governor, 0, 30)
    board.heat_c = 76.0  # no longer hot, not yet cool
    assert looked_at(governor, 30, 200) == pytest.approx(1 / 4, abs=0.01)
    board.heat_c = 74.9
    assert looked_at(governor, 200, 260) == pytest.approx(1 / 2, abs=0.01)
    assert looked_at(governor, 260, 300) == 1.0
    assert governor.text == ""


def test_board_that_holds_itself_back_is_hot_whatever_its_heat():
    board = Board(60.0, held_back=True)
    governor = board.governor()
    assert looked_at(governor, 0, 15) == pytest.approx(1 / 2, abs=0.01)
    board.held_back = False
    assert looked_at(governor, 15, 60) == pytest.approx(1 / 2, abs=0.01)
    assert looked_at(governor, 61, 80) == 1.0


def test_device_that_tells_nothing_is_never_hot():
    governor = Board(None).governor()
    assert looked_at(governor, 0, 100) == 1.0


def test_camera_of_few_frames_is_slowed_less_and_one_of_fewer_than_four_a_second_not_at_all():
    governor = Board(90.0).governor()
    looked_at(governor, 0, 30)
    assert looked_at(governor, 30, 60, rate_hz=5) == pytest.approx(1 / 2, abs=0.01)  # 0.4 s apart: 0.2 would be less
    assert looked_at(governor, 61, 90, rate_hz=3.9) == 1.0


def test_each_change_is_logged_once(caplog: pytest.LogCaptureFixture):
    board = Board(90.0)
    governor = board.governor()
    with caplog.at_level(logging.INFO):
        looked_at(governor, 0, 200)
        board.heat_c = 40.0
        looked_at(governor, 200, 400)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "WARNING", "INFO"]
    assert caplog.messages[-1] == "cool again: looking at every frame"
