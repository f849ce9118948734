"""The average depends on time, not on frames; its first frame has no extra weight."""

from math import exp

import numpy as np
import pytest

from fer_edge.emotions import EMOTIONS
from fer_edge.events.smoothing import EmaState, start_average, step_s, update_average

HAPPY = EMOTIONS.index("happy")


def averaged(curve, rate_hz, seconds, smooth_s) -> EmaState:
    """Average of a curve of happy, sampled at `rate_hz` from 0 to `seconds`."""
    average = None
    for step in range(round(seconds * rate_hz) + 1):
        now = step / rate_hz
        vector = np.zeros(7, np.float32)
        vector[HAPPY], vector[0] = curve(now), 1.0 - curve(now)
        average = start_average(vector, now) if average is None else update_average(average, vector, now, smooth_s)
    return average


def test_first_two_frames_count_the_same(scores):
    average = update_average(start_average(scores(happy=0.9), 0.0), scores(happy=0.1), 0.001, smooth_s=0.6)
    assert average.mean[HAPPY] == pytest.approx(0.5, abs=1e-3)


def test_first_outlier_is_outweighed_by_the_next_three(scores):
    average = start_average(scores(happy=1.0), 0.0)
    for step in (1, 2, 3):
        average = update_average(average, scores(happy=0.0), step / 30, smooth_s=0.6)
    # Trapezium of 1, 0, 0, 0: a sixth of the area, a little less for being the oldest.
    assert average.mean[HAPPY] == pytest.approx(1 / 6, abs=0.02)


def test_step_reaches_63_percent_after_one_time_constant_at_any_rate():
    def step(at):
        return 0.0 if at < 10.0 else 1.0

    for rate_hz in (10, 30, 120):
        average = averaged(step, rate_hz, 10.6, smooth_s=0.6)
        assert average.mean[HAPPY] == pytest.approx(1 - exp(-1), abs=0.5 / rate_hz / 0.6)


@pytest.mark.parametrize("rate_hz", [5, 7, 30])
def test_ramp_is_followed_with_the_lag_of_the_time_constant_at_any_rate(rate_hz):
    # The exponential average of a ramp lags it by exactly the time constant after the start.
    average = averaged(lambda at: at / 20, rate_hz, 12.0, smooth_s=0.6)
    assert average.mean[HAPPY] == pytest.approx((12.0 - 0.6) / 20, abs=1e-4)


def test_same_curve_gives_the_same_average_at_5_and_30_fps():
    def slow_wave(at):
        return 0.5 + 0.4 * np.sin(2 * np.pi * at / 4)

    for seconds in (1.0, 2.0, 5.0, 9.0):
        at_5 = averaged(slow_wave, 5, seconds, 0.6).mean[HAPPY]
        at_30 = averaged(slow_wave, 30, seconds, 0.6).mean[HAPPY]
        assert at_5 == pytest.approx(at_30, abs=0.005)


def test_average_is_a_distribution_whatever_the_intervals(scores):
    average = start_average(scores(sad=0.7), 0.0)
    for now in (0.01, 0.4, 5.0, 5.0, 5.1, 400.0):
        average = update_average(average, scores(fear=0.6), now, smooth_s=0.6)
        assert average.mean.sum() == pytest.approx(1.0, abs=1e-6)
        assert average.mean.min() >= 0.0


def test_frame_after_a_gap_does_not_count_for_the_whole_gap(scores):
    average = start_average(scores(happy=1.0), 0.0)
    for step in range(1, 31):
        average = update_average(average, scores(happy=1.0), step / 10, smooth_s=2.0)
    after_gap = update_average(average, scores(happy=0.0), 4.0, smooth_s=2.0)
    # Taken for the whole second it would have 1 - exp(-0.5) = 0.39 of the weight, linearly interpolated half of that.
    assert after_gap.mean[HAPPY] > 0.88


def test_smoothing_of_zero_is_the_latest_frame(scores):
    average = update_average(start_average(scores(happy=0.9), 0.0), scores(happy=0.2), 0.1, smooth_s=0.0)
    assert average.mean[HAPPY] == pytest.approx(0.2)


def test_second_frame_of_the_same_time_adds_nothing(scores):
    average = start_average(scores(happy=0.9), 1.0)
    assert update_average(average, scores(happy=0.1), 1.0, smooth_s=0.6) is average
    assert update_average(average, scores(happy=0.1), 0.9, smooth_s=0.6) is average


def test_frame_counts_for_a_quarter_second_at_most(scores):
    average = start_average(scores(happy=0.9), 1.0)
    assert step_s(None, 1.0) == 0.0
    assert step_s(average, 1.2) == pytest.approx(0.2)
    assert step_s(average, 3.0) == 0.25
    assert step_s(average, 0.5) == 0.0
